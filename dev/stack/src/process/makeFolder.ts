/** Makes a folder at a place that a person can choose. */
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { messageOf, StackError } from '../stackError.ts';

/**
 * Makes the folder and its missing parents, one level at a time. Node's own recursive `mkdir` never returns in a file
 * system that answers ENOENT to every `mkdir`, such as /proc (Node 24.21).
 * @param remedy how another place is chosen, as a sentence.
 * @throws StackError `FOLDER_UNUSABLE` that names the folder and the reason.
 */
export function makeFolder(path: string, remedy: string): void {
  const folder = resolve(path);
  try {
    makeLevels(folder);
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const message = `${folder} cannot be written: ${messageOf(error)}.\n${remedy}`;
    throw new StackError('FOLDER_UNUSABLE', message);
  }
}

function makeLevels(folder: string): void {
  if (isFolder(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) makeLevels(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have made the folder in the meantime.
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
