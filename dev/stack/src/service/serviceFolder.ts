/** Folders of a service within the stack's, writable by the unprivileged user it runs as. */
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { SERVICE_USER_ID } from '../root/enterRoot.ts';

/** Data, sockets and secrets of the services are nobody else's. */
const OWNER_ONLY = 0o700;

/**
 * Makes a folder that the services alone may read and write. Its content and an existing folder's data stay as they
 * are; an existing folder is closed to others.
 */
export async function makeServiceFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: OWNER_ONLY });
  await chmod(path, OWNER_ONLY);
  await giveToService(path);
}

/**
 * Writes a file the services own; some (Erlang's cookie) are refused when owned by another user.
 */
export async function writeServiceFile(path: string, text: string, mode = 0o644): Promise<void> {
  await writeFile(path, text, { mode });
  await giveToService(path);
}

/**
 * Without root the caller appears to the service as its own user, and nothing has to change hands.
 */
export async function giveToService(path: string): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, SERVICE_USER_ID, SERVICE_USER_ID);
}
