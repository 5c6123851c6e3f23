/** Receivers' secrets → the folder of a rendition, where alertmanager.yml expects them. */
import { chmod, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceSecretFile } from '@fit/service/secret-file';
import { type AlertReceivers, ReceiverError, secretFiles } from '../config/receivers.ts';

const READABLE_FILE_MODE = 0o644;
const READABLE_FOLDER_MODE = 0o755;
const OWNER_ONLY_FOLDER_MODE = 0o700;

/**
 * Alertmanager sees nothing of the host but that folder. Each copy keeps the mode that its source has.
 * @throws ReceiverError naming the variable whose file cannot be read, or is empty.
 */
export async function copySecrets(folder: string, receivers: AlertReceivers = {}): Promise<void> {
  for (const { variable, source, path } of secretFiles(receivers)) {
    const file = join(folder, path);
    let secret: Buffer;
    try {
      secret = await readFile(source);
      if (secret.toString().trim() === '') throw new Error('the file is empty');
      await mkdir(dirname(file), { recursive: true });
      const { mode } = await stat(source);
      await replaceSecretFile(file, secret, mode & 0o777);
    } catch (cause) {
      throw new ReceiverError([`${variable}='${source}' cannot be copied: ${String(cause)}`], {
        cause,
      });
    }
  }
}

/**
 * Lets the containers' users read the renditions below a folder, copies of secrets included, and keeps everybody else of
 * this machine out. Alertmanager runs as another user under compose: with the owner-only mode of its source a copy would
 * let it start, look healthy, and fail at the first alert. The folder above becomes its owner's alone; that keeps no
 * container out, since Docker looks up what it mounts as root, or as the owner where it runs without root.
 * @param folder the parent of the renditions; all are written.
 * @param renditions their names.
 * @throws the file system's error, also where the folder belongs to somebody else.
 */
export async function openToContainers(
  folder: string,
  renditions: readonly string[],
): Promise<void> {
  await chmod(folder, OWNER_ONLY_FOLDER_MODE);
  for (const rendition of renditions) {
    const root = join(folder, rendition);
    await chmod(root, READABLE_FOLDER_MODE);
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
      await chmod(
        join(entry.parentPath, entry.name),
        entry.isDirectory() ? READABLE_FOLDER_MODE : READABLE_FILE_MODE,
      );
  }
}
