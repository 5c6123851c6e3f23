/** Where the pages and what they include are. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The repository. */
export const REPOSITORY = join(import.meta.dirname, '../..');
/** Sources of the pages. */
export const PAGES = join(REPOSITORY, 'site/pages');
/** Everything that a build writes; not under version control. */
export const BUILD = join(REPOSITORY, 'site/build');

/** @returns path of each page in its folder, such as `recipes/poison-messages.md`, with its text. */
export function readPages(): ReadonlyMap<string, string> {
  return new Map(
    globSync('**/*.md', { cwd: PAGES })
      .sort()
      .map((name) => [name, readFileSync(join(PAGES, name), 'utf8')] as const),
  );
}

/** @returns the text of a file of the repository; undefined if there is none. */
export function readRepositoryFile(path: string): string | undefined {
  try {
    return readFileSync(join(REPOSITORY, path), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
