/** The code blocks of a Markdown page, and the programs that they make. Nothing here does I/O. */

/** A fenced block, or an HTML comment that begins with `<!-- ts` and holds declarations that readers need not see. */
export interface CodeBlock {
  readonly language: string;
  /** Words after the language: `run`, `continues`, `background`, or a file name in brackets. */
  readonly words: readonly string[];
  /** Line of the page, counted from 1, on which the code begins. */
  readonly line: number;
  readonly code: string;
  readonly isHidden: boolean;
}

const FENCE = /^(?<indent> *)(?<ticks>`{3,})(?<info>[^`]*)$/;
const HIDDEN_OPENING = '<!-- ts';
const HIDDEN_CLOSING = '-->';

/** @throws Error naming the line of a block that is not closed. */
export function codeBlocks(page: string): CodeBlock[] {
  const lines = page.split('\n');
  const blocks: CodeBlock[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    const { indent = '', ticks = '', info = '' } = FENCE.exec(line)?.groups ?? {};
    const isHidden = line === HIDDEN_OPENING;
    if (ticks === '' && !isHidden) continue;
    const closing = isHidden ? HIDDEN_CLOSING : `${indent}${ticks}`;
    const end = lines.findIndex((other, at) => at > index && other.trimEnd() === closing);
    if (end < 0) throw new Error(`line ${index + 1}: this block is not closed`);
    const [language = '', ...words] = isHidden ? ['ts'] : info.trim().split(/\s+/);
    const code = lines.slice(index + 1, end).map((text) => text.slice(indent.length));
    blocks.push({ language, words, line: index + 2, code: code.join('\n'), isHidden });
    index = end;
  }
  return blocks;
}

/** A TypeScript module that blocks of a page make. */
export interface PageProgram {
  readonly page: string;
  /** Name of the file, for a block with a name in brackets: other blocks of the page import it by this name. */
  readonly fileName: string | undefined;
  /** Line of the page on which its first visible block begins. */
  readonly line: number;
  /** Every line stands on the line that it has in the page, so that errors name lines of the page. */
  readonly code: string;
  readonly isRun: boolean;
}

/**
 * A block is a program of its own, unless it `continues` the one above. A hidden block belongs to the next program, or to the last one.
 * @throws Error naming the line of a block that continues nothing.
 */
export function pagePrograms(page: string, text: string): PageProgram[] {
  const programs: { blocks: CodeBlock[] }[] = [];
  let hidden: CodeBlock[] = [];
  for (const block of codeBlocks(text)) {
    if (!['ts', 'typescript'].includes(block.language)) continue;
    if (block.isHidden) {
      hidden.push(block);
    } else if (block.words.includes('continues')) {
      const last = programs.at(-1);
      if (last === undefined)
        throw new Error(`${page}:${block.line}: there is no block to continue`);
      last.blocks.push(...hidden, block);
      hidden = [];
    } else {
      programs.push({ blocks: [...hidden, block] });
      hidden = [];
    }
  }
  const [left] = hidden;
  // Behind the last block of a page, for example to check what it did.
  if (left !== undefined && programs.length === 0)
    throw new Error(`${page}:${left.line}: there is no block that these declarations belong to`);
  programs.at(-1)?.blocks.push(...hidden);
  refuseNamedTwice(page, text);
  return programs.map(({ blocks }) => ({
    page,
    fileName: blocks.flatMap(({ words }) => fileNameOf(words) ?? []).at(0),
    line: blocks.find(({ isHidden }) => !isHidden)?.line ?? 1,
    code: atTheirLines(blocks),
    isRun: blocks.some(({ words }) => words.includes('run')),
  }));
}

function refuseNamedTwice(page: string, text: string): void {
  const names = new Set<string>();
  for (const { words, line } of codeBlocks(text)) {
    const name = fileNameOf(words);
    if (name !== undefined && names.has(name))
      throw new Error(`${page}:${line}: there is another block [${name}] above`);
    if (name !== undefined) names.add(name);
  }
}

/** @returns the name in brackets among the words of a block, such as `mail.ts` of `[mail.ts]`. */
function fileNameOf(words: readonly string[]): string | undefined {
  return words.map((word) => /^\[([\w.-]+)\]$/.exec(word)?.[1]).find((name) => name !== undefined);
}

function atTheirLines(blocks: readonly CodeBlock[]): string {
  const lines: string[] = [];
  for (const { line, code } of blocks)
    for (const [offset, text] of code.split('\n').entries()) lines[line - 1 + offset] = text;
  return `${Array.from(lines, (line: string | undefined) => line ?? '').join('\n')}\n`;
}

/** One thing that a reader does in the shell, and what the page says that it prints. */
export interface ShellStep {
  readonly line: number;
  readonly commands: readonly string[];
  /** True if it goes on running while the reader does the following steps. */
  readonly isBackground: boolean;
  /** Lines of the `text` block after it; `…` stands for any text, such as a time. Empty if there is none. */
  readonly printed: readonly string[];
}

/** @returns the steps of the blocks that begin with `sh run`, in the order of the page. */
export function shellSteps(text: string): ShellStep[] {
  const blocks = codeBlocks(text);
  return blocks.flatMap((block, index) => {
    if (block.language !== 'sh' || !block.words.includes('run')) return [];
    const next = blocks[index + 1];
    const isOutput = next?.language === 'text' && next.words.includes('output');
    return [
      {
        line: block.line,
        commands: block.code.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
        isBackground: block.words.includes('background'),
        printed: isOutput ? next.code.split('\n').filter((line) => line.trim() !== '') : [],
      },
    ];
  });
}

/** @returns true if a line of the output is the line of the page, in which `…` stands for any text. */
export function isPrinted(output: string, line: string): boolean {
  const parts = line
    .trim()
    .split('…')
    .map((part) => RegExp.escape(part).replaceAll(/(?:\\x20| )+/g, ' +'));
  const pattern = new RegExp(`^\\s*${parts.join('.*')}\\s*$`, 'm');
  return pattern.test(output);
}
