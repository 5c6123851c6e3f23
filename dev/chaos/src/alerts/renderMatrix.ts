/** Makes the generated section of FAULTS.md from reports, and reads it back, so that one fault can be injected again alone. No I/O. */
import type { Fault } from './fault.ts';
import type { FaultReport } from './injectFault.ts';
import type { ReportedAlert } from './judgeNotifications.ts';

const HEAD = [
  '| fault | alert | reported after | receiver | resolved after |',
  '| --- | --- | --- | --- | --- |',
];

/** The rows of the table by fault. */
export type Rows = ReadonlyMap<string, readonly string[]>;

/** The seconds are those of the short windows. */
export function renderRows(reports: readonly FaultReport[]): Rows {
  return new Map(
    reports.map(({ fault, alerts }) => [
      fault.name,
      expectedFirst(alerts).map((alert, index) => row(index === 0 ? fault.name : '', alert)),
    ]),
  );
}

/** @returns the rows of a table by fault: only the first row of a fault has its name. */
export function readRows(table: string): Rows {
  const rows = new Map<string, string[]>();
  let name = '';
  for (const line of table.split('\n').filter((text) => text.startsWith('| '))) {
    const first = line.split('|')[1]?.trim() ?? '';
    if (first !== '') name = first;
    rows.set(name, [...(rows.get(name) ?? []), line]);
  }
  return rows;
}

/** @returns the table of these faults in their order, and a description of each. */
export function renderMatrix(
  faults: readonly Pick<Fault, 'name' | 'description'>[],
  rows: Rows,
): string {
  const lines = faults.flatMap(({ name }) => rows.get(name) ?? []);
  const descriptions = faults.map(({ name, description }) => `- **${name}**: ${description}.`);
  return [...HEAD, ...lines, '', ...descriptions].join('\n');
}

function expectedFirst(alerts: readonly ReportedAlert[]): readonly ReportedAlert[] {
  return alerts.toSorted(
    (a, b) => Number(b.isExpected) - Number(a.isExpected) || a.firedSeconds - b.firedSeconds,
  );
}

function row(name: string, { alert, isExpected, ...rest }: ReportedAlert): string {
  const { firedSeconds, receiver, resolvedSeconds } = rest;
  const resolved = Number.isNaN(resolvedSeconds)
    ? 'never'
    : resolvedSeconds < 0
      ? 'before'
      : `${resolvedSeconds} s`;
  return `| ${name} | ${isExpected ? `**${alert}**` : alert} | ${firedSeconds} s | ${receiver} | ${resolved} |`;
}

/** @returns the text between the two marks of a section. @throws Error if the document has no such section. */
export function readSection(document: string, name: string): string {
  const { from, to } = findSection(document, name);
  return document.slice(from, to);
}

/** @throws Error if the document has no such section. */
export function replaceSection(document: string, name: string, text: string): string {
  const { from, to } = findSection(document, name);
  return `${document.slice(0, from)}\n${text}\n${document.slice(to)}`;
}

function findSection(
  document: string,
  name: string,
): { readonly from: number; readonly to: number } {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [start, to] = [document.indexOf(open), document.indexOf(close)];
  if (start < 0 || to < start) throw new Error(`the document has no section ${open} … ${close}`);
  return { from: start + open.length, to };
}
