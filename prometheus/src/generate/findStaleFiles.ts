/** Which files of a folder are not what would be generated now. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface StaleFile {
  readonly path: string;
  /** The first line that differs, as it is and as it should be; undefined is beyond the end of the file. */
  readonly lineNumber: number;
  readonly found: string | undefined;
  readonly expected: string | undefined;
}

/** @param texts expected text by path relative to `folder`. @returns empty when all are as expected. */
export async function findStaleFiles(
  folder: string,
  texts: ReadonlyMap<string, string>,
): Promise<StaleFile[]> {
  const stale: StaleFile[] = [];
  for (const [path, expected] of texts) {
    const found = await readOrEmpty(join(folder, path));
    if (found !== expected) stale.push({ path, ...firstDifference(found, expected) });
  }
  return stale;
}

/** A missing file differs from its first line on. */
async function readOrEmpty(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

function firstDifference(found: string, expected: string): Omit<StaleFile, 'path'> {
  const [foundLines, expectedLines] = [found.split('\n'), expected.split('\n')];
  const longest = Math.max(foundLines.length, expectedLines.length);
  let index = 0;
  while (index < longest && foundLines[index] === expectedLines[index]) index += 1;
  return { lineNumber: index + 1, found: foundLines[index], expected: expectedLines[index] };
}
