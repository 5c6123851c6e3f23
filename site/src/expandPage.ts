/**
 * Lines of a page that a build replaces: `<!-- include: path -->` by a file of the repository, with `#Heading` by one
 * section of it, with `until Heading` by what is above a section, and `<!-- chart: name -->` by a chart of the plan.
 */
const DIRECTIVE = /^<!-- (?<name>include|chart): (?<argument>.+) -->$/;

/** What stands for the lines. */
export interface PageParts {
  /** @returns the text of a file of the repository; undefined if there is none. */
  readonly read: (path: string) => string | undefined;
  /** SVG by name. */
  readonly charts: ReadonlyMap<string, string>;
}

/** @throws Error naming page and line of a part that does not exist. */
export function expandPage(page: string, text: string, parts: PageParts): string {
  return text
    .split('\n')
    .map((line, index) => {
      const { name, argument = '' } = DIRECTIVE.exec(line)?.groups ?? {};
      if (name === undefined) return line;
      const part = name === 'chart' ? parts.charts.get(argument) : included(argument, parts.read);
      if (part !== undefined) return part;
      throw new Error(`${page}:${index + 1}: there is no ${name} '${argument}'`);
    })
    .join('\n');
}

function included(argument: string, read: PageParts['read']): string | undefined {
  const [wanted = '', end] = argument.split(' until ');
  const [path = '', heading] = wanted.split('#');
  const text = read(path);
  if (text === undefined) return undefined;
  if (path.endsWith('.md')) {
    const part = heading === undefined ? above(withoutTitle(text), end) : sectionOf(text, heading);
    return part === undefined ? undefined : withoutRelativeLinks(part);
  }
  const language = path.slice(path.lastIndexOf('.') + 1);
  return `\`\`\`${language} [${path}]\n${text.trimEnd()}\n\`\`\``;
}

/** They lead to files of the repository, which the site does not have. */
function withoutRelativeLinks(text: string): string {
  return text.replaceAll(/\[([^\]]+)\]\((?![a-z]+:|#)[^)]+\)/g, '$1');
}

/** The page that includes a document has a title of its own. */
function withoutTitle(text: string): string {
  return text.replace(/^# .*\n+/, '').trimEnd();
}

/** @returns what is above a section; undefined if there is no such section. */
function above(text: string, heading: string | undefined): string | undefined {
  if (heading === undefined) return text;
  const [part, ...rest] = text.split(new RegExp(`^#+ ${RegExp.escape(heading)}$`, 'm'));
  return rest.length === 0 ? undefined : part?.trimEnd();
}

/** @returns the lines below a heading, up to the next one of the same level; undefined if there is no such heading. */
function sectionOf(text: string, heading: string): string | undefined {
  const lines = text.split('\n');
  const start = lines.findIndex(
    (line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading,
  );
  const [marks = ''] = /^#+ /.exec(lines[start] ?? '') ?? [];
  if (start < 0) return undefined;
  const rest = lines.slice(start + 1);
  const length = rest.findIndex((line) => line.startsWith(marks));
  return rest
    .slice(0, length < 0 ? undefined : length)
    .join('\n')
    .trim();
}
