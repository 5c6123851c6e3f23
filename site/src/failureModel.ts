/** The tables of the failure model: each row names the proof or the test that shows it, and this file looks them up. */

/** What a row names. */
export type Evidence =
  | { readonly type: 'proof'; readonly code: string }
  | { readonly type: 'test'; readonly file: string; readonly title: string };

/** One row of a table whose last column is headed `shown by`. */
export interface FailureModelRow {
  readonly line: number;
  readonly statement: string;
  /** Undefined for a part of the cell that is neither a proof nor a test. */
  readonly evidence: readonly (Evidence | undefined)[];
}

/** What evidence is looked up in. */
export interface EvidenceSources {
  /** Codes that the tests of the prover provoke, each by a plan that is broken in one place. */
  readonly provedCodes: ReadonlySet<string>;
  /** @returns the text of a file of the repository; undefined if there is none. */
  readonly read: (file: string) => string | undefined;
}

const HEADING = /^\|.*\| shown by \|$/;

/** @returns the rows of all tables whose last column is headed `shown by`. */
export function failureModelRows(page: string): FailureModelRow[] {
  const rows: FailureModelRow[] = [];
  let isInTable = false;
  for (const [index, line] of page.split('\n').entries()) {
    isInTable = HEADING.test(line) || (isInTable && line.startsWith('|'));
    if (!isInTable || HEADING.test(line) || /^\|[ |-]+$/.test(line)) continue;
    const [statement = '', cell = ''] = line.slice(1, -1).split(' | ');
    rows.push({
      line: index + 1,
      statement: statement.trim(),
      evidence: cell
        .split('<br>')
        .filter((part) => part.trim() !== '')
        .map(evidenceOf),
    });
  }
  return rows;
}

function evidenceOf(part: string): Evidence | undefined {
  const text = part.trim();
  const code = /^proof `([A-Z_]+)`$/.exec(text)?.[1];
  if (code !== undefined) return { type: 'proof', code };
  const [, file, title] = /^test `([\w./-]+)`: (.+)$/.exec(text) ?? [];
  return file === undefined || title === undefined ? undefined : { type: 'test', file, title };
}

/** @returns one line for each row without evidence, and for each proof or test that does not exist. */
export function missingEvidence(
  page: string,
  rows: readonly FailureModelRow[],
  { provedCodes, read }: EvidenceSources,
): string[] {
  return rows.flatMap(({ line, statement, evidence }) => {
    const at = `${page}:${line}: "${statement}"`;
    if (evidence.length === 0) return [`${at} names no proof and no test`];
    return evidence.flatMap((one) => {
      if (one === undefined) return [`${at} names something that is neither a proof nor a test`];
      if (one.type === 'proof')
        return provedCodes.has(one.code)
          ? []
          : [`${at}: no test of the prover provokes ${one.code}`];
      const text = read(one.file);
      if (text === undefined) return [`${at}: there is no file ${one.file}`];
      return hasTest(text, one.title) ? [] : [`${at}: ${one.file} has no test "${one.title}"`];
    });
  });
}

/** A title that the file composes is named with its `${…}`. */
function hasTest(text: string, title: string): boolean {
  return ["'", '"', '`'].some((quote) => text.includes(`test(${quote}${title}${quote}`));
}
