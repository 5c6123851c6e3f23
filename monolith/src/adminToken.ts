/** The admin's bearer token, where none is given: made once, kept readable by its owner alone. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** @returns the token in the file; two processes that start at once agree on one. */
export async function loadAdminToken(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const token = randomBytes(32).toString('base64url');
  try {
    await writeFile(path, `${token}\n`, { mode: 0o600, flag: 'wx' });
    return token;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return (await readFile(path, 'utf8')).trim();
  }
}
