/** The runbooks of the repository: read once at start, so that a name that is asked for never becomes a path. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Runbooks {
  /** For all who are on call: the shell that the runbooks' commands are typed in. */
  readonly onCall: string;
  /** By file name, such as `StoreDown.md`, in alphabetical order. */
  readonly texts: ReadonlyMap<string, string>;
}

/** Not imported: they are text, and their package generates configuration that no process needs. */
const FOLDER = join(import.meta.dirname, '../../../prometheus');

/** @throws Error where they are missing: found at start, not at night. */
export function readRunbooks(): Runbooks {
  const folder = join(FOLDER, 'runbooks');
  const names = readdirSync(folder).filter((name) => name.endsWith('.md'));
  return {
    onCall: readFileSync(join(FOLDER, 'on-call.md'), 'utf8'),
    texts: new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')])),
  };
}
