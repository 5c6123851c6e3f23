/**
 * The configuration of Prometheus and Alertmanager: the caller's, copied, else one that merely
 * works.
 */
import { existsSync } from 'node:fs';
import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StackPlace } from './serviceDefinition.ts';
import { giveToService, makeServiceFolder, writeServiceFile } from './serviceFolder.ts';

/**
 * Fills `<folder>/<service>/config`, anew at each start so that a changed rule takes effect, and
 * makes the data folder. A copy, because the services may not be allowed to read the caller's
 * folder.
 */
export async function prepareMonitoring(
  place: StackPlace,
  service: 'prometheus' | 'alertmanager',
  fallback: { readonly fileName: string; readonly text: string },
): Promise<void> {
  const folder = join(place.folder, service);
  await makeServiceFolder(folder);
  await makeServiceFolder(join(folder, 'data'));
  const config = join(folder, 'config');
  await rm(config, { recursive: true, force: true });
  if (place.prometheusConfigFolder !== undefined) {
    await cp(place.prometheusConfigFolder, config, { recursive: true, dereference: true });
    // A receiver's secret is readable by its owner alone, who must be the service, or its first notification fails.
    for (const name of await readdir(config, { recursive: true }))
      await giveToService(join(config, name));
  }
  await makeServiceFolder(config);
  const file = join(config, fallback.fileName);
  if (!existsSync(file)) await writeServiceFile(file, fallback.text);
}
