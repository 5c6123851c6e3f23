/** Receivers' secrets → the folder of a rendition, where alertmanager.yml expects them. */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceSecretFile } from '@fit/http/secret-file';
import { type AlertReceivers, ReceiverError, secretFiles } from '../config/receivers.ts';

/**
 * Alertmanager sees nothing of the host but that folder. Each copy keeps the mode that its source has: Alertmanager runs as
 * another user, and who may read a secret is not decided here.
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
