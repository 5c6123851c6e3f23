/** The status page: static files that any server can serve unchanged. There is no build step. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

export interface PageFile {
  /** The path that the file is served under: `/` for the page, `/console/<name>` for the others. */
  readonly path: string;
  /** Media type with character set. */
  readonly type: string;
  readonly content: Buffer;
}

const FOLDER = join(import.meta.dirname, 'page');

/** Files with another extension, such as tsconfig.json, are not part of the page. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.svg', 'image/svg+xml; charset=utf-8'],
]);

/**
 * Reads every file of the page, so that a requested path is looked up in a list and never becomes a path on disk.
 * @throws Error if the folder is missing.
 */
export function pageFiles(): readonly PageFile[] {
  return readdirSync(FOLDER).flatMap((name) => {
    const type = TYPES.get(extname(name));
    if (type === undefined) return [];
    const path = name === 'index.html' ? '/' : `/console/${name}`;
    return [{ path, type, content: readFileSync(join(FOLDER, name)) }];
  });
}
