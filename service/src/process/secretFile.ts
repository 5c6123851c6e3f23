/**
 * Secrets in files: each is created once, is complete or absent, and can be read by its owner only.
 *
 * A secret is written and synced under a temporary name and then linked to its own name. A file that was written under its final name
 * could be read while it is empty: by a second process that starts at the same time, or after the disk was full.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SECRET_REMEDY, weaknessOfSecret } from '@fit/contract';

/** A secret is missing, weak, or accessible to others. The message names the file and the remedy, never the secret. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
}

/** Called with one sentence for each file that is used although other users may read it. */
export type OnWarning = (line: string) => void;

/** Upper bound of a secret file; a longer file is refused. */
export const SECRET_FILE_MAX_BYTES = 4_096;
const OTHERS_READ = 0o044;
const OTHERS_WRITE = 0o022;

/** @returns 256 random bits as 43 characters that need no escaping in URLs and headers. */
export function makeSecret(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Reads a secret, without the white space around it.
 * A file that other users may read is used with a warning, because secret mounts of containers are readable. A file that other users
 * may write is refused, because they could choose the secret.
 * @returns undefined if there is no such file.
 * @throws SecretError if it cannot be read, is writable by others, empty, short or easy to guess.
 */
export async function readSecretFile(
  path: string,
  onWarning: OnWarning,
): Promise<string | undefined> {
  const text = await readText(path, onWarning);
  if (text === undefined) return undefined;
  const secret = text.trim();
  const weakness = weaknessOfSecret(secret);
  if (weakness === undefined) return secret;
  throw new SecretError(
    `the secret in ${resolve(path)} ${weakness}; remove the file, and the next start of its service makes a new one, or ${SECRET_REMEDY}`,
  );
}

/**
 * Reads a secret, or creates it if there is none yet.
 * Of several processes that create it at the same time exactly one succeeds, and all return the secret of that one. Missing folders are
 * created for the owner only. A failure leaves no file, so that the next start tries again.
 * @throws SecretError as `readSecretFile` does, or if it cannot be written.
 */
export async function loadSecretFile(path: string, onWarning: OnWarning): Promise<string> {
  const existing = await readSecretFile(path, onWarning);
  if (existing !== undefined) return existing;
  const secret = makeSecret();
  try {
    await makeFolders(dirname(resolve(path)));
    if (await createFile(path, `${secret}\n`)) return secret;
  } catch (cause) {
    throw new SecretError(
      `the secret file ${resolve(path)} cannot be written: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
  const winner = await readSecretFile(path, onWarning);
  if (winner !== undefined) return winner;
  throw new SecretError(`${resolve(path)} was removed while this process started; start it again`);
}

/** Creates one level at a time, because Node's recursive `mkdir` never ends if each level is answered by ENOENT, as in /proc. */
async function makeFolders(folder: string): Promise<void> {
  const make = () => mkdir(folder, { mode: 0o700 });
  try {
    await make().catch(async (error: unknown) => {
      if (codeOf(error) !== 'ENOENT' || dirname(folder) === folder) throw error;
      await makeFolders(dirname(folder));
      await make();
    });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/**
 * Replaces a file of secrets as a whole: a reader sees the old content or the new content, never a part of it.
 * @param mode its permissions, such as 0o600.
 */
export async function replaceSecretFile(
  path: string,
  content: string | Uint8Array,
  mode: number,
): Promise<void> {
  await writeTemporary(path, content, mode, async (temporary) => {
    await rename(temporary, path);
    return true;
  });
}

/** @returns false if the file exists already; it is not changed. */
async function createFile(path: string, content: string): Promise<boolean> {
  return await writeTemporary(path, content, 0o600, async (temporary) => {
    try {
      // Unlike a rename, a link never replaces a file that another process has created meanwhile.
      await link(temporary, path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await unlink(temporary);
    }
  });
}

/** Writes and syncs a file under a temporary name, moves it to its own name by `publish`, and syncs the folder. */
async function writeTemporary(
  path: string,
  content: string | Uint8Array,
  mode: number,
  publish: (temporary: string) => Promise<boolean>,
): Promise<boolean> {
  const temporary = `${path}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    try {
      await file.writeFile(content);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
  const isPublished = await publish(temporary);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return isPublished;
}

async function readText(path: string, onWarning: OnWarning): Promise<string | undefined> {
  try {
    // Without O_NONBLOCK the open of a named pipe without a writer never returns.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw new SecretError(`${resolve(path)} is no regular file`);
      const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
      const remedy = `mode ${mode}; run chmod 600 ${resolve(path)}`;
      if ((stats.mode & OTHERS_WRITE) !== 0)
        throw new SecretError(`others may change the secret in ${resolve(path)}, ${remedy}`);
      if ((stats.mode & OTHERS_READ) !== 0)
        onWarning(`others may read the secret in ${resolve(path)}, ${remedy}`);
      if (stats.size > SECRET_FILE_MAX_BYTES)
        throw new SecretError(
          `${resolve(path)} has ${stats.size} bytes; a secret has at most ${SECRET_FILE_MAX_BYTES}`,
        );
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof SecretError) throw cause;
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw new SecretError(`the secret file ${resolve(path)} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
