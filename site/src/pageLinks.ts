/** Links between the pages of the site. */
import { codeBlocks } from './codeBlocks.ts';

/** Pages that a build makes: they are not among the sources. */
const GENERATED = /^\/?api\//;

/**
 * @param pages path of each page, such as `recipes/poison-messages.md`, with its text.
 * @returns one line for each link to a page or a heading that does not exist.
 */
export function deadLinks(pages: ReadonlyMap<string, string>): string[] {
  return [...pages].flatMap(([page, text]) =>
    linksOf(text).flatMap(({ line, target }) => {
      if (/^[a-z]+:/.test(target)) return [];
      const [path = '', anchor] = target.split('#');
      const linked = path === '' ? page : resolvePage(page, path);
      if (GENERATED.test(linked)) return [];
      const linkedText = pages.get(linked);
      if (linkedText === undefined) return [`${page}:${line}: there is no page ${linked}`];
      const hasAnchor = anchor === undefined || anchorsOf(linkedText).includes(anchor);
      return hasAnchor ? [] : [`${page}:${line}: ${linked} has no heading #${anchor}`];
    }),
  );
}

function linksOf(text: string): { line: number; target: string }[] {
  return withoutBlocks(text).flatMap((line, index) =>
    [...line.matchAll(/\]\(([^)\s]+)\)|^ +link: (\S+)$/g)].map(([, inText, inFront]) => ({
      line: index + 1,
      target: inText ?? inFront ?? '',
    })),
  );
}

/** A path without an ending names a page, too, and one that ends with a slash its index. */
function resolvePage(page: string, path: string): string {
  const { pathname } = new URL(path, `file:///${page}`);
  const name = decodeURIComponent(pathname.slice(1));
  if (name === '' || name.endsWith('/')) return `${name}index.md`;
  return name.endsWith('.md') ? name : `${name}.md`;
}

/** As VitePress makes them of headings. */
function anchorsOf(text: string): string[] {
  return withoutBlocks(text).flatMap((line) => {
    const heading = /^#{1,6} (.+)$/.exec(line)?.[1];
    if (heading === undefined) return [];
    const own = /\{#([\w-]+)\}$/.exec(heading)?.[1];
    return [own ?? slug(heading)];
  });
}

function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[`*]/g, '')
    .replaceAll(/[^\p{Letter}\p{Number}_-]+/gu, '-')
    .replaceAll(/-{2,}/g, '-')
    .replaceAll(/^-|-$/g, '');
}

function withoutBlocks(text: string): string[] {
  const lines = text.split('\n');
  for (const { line, code } of codeBlocks(text))
    for (let index = 0; index < code.split('\n').length; index += 1) lines[line - 1 + index] = '';
  return lines;
}
