/** Receivers' secrets → the folder of a rendition, where alertmanager.yml expects them. */
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type AlertReceivers, ReceiverError, secretFiles } from '../config/receivers.ts';

/**
 * Alertmanager sees nothing of the host but that folder. Each copy keeps the mode that its source has: Alertmanager runs as
 * another user, and who may read a secret is not decided here.
 * @throws ReceiverError naming the variable whose file cannot be read.
 */
export async function copySecrets(folder: string, receivers: AlertReceivers = {}): Promise<void> {
  for (const { variable, source, path } of secretFiles(receivers)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    try {
      await copyFile(source, file);
    } catch (cause) {
      throw new ReceiverError(`${variable}='${source}' cannot be copied`, { cause });
    }
  }
}
