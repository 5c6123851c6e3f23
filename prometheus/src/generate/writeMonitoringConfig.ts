/** Puts a rendition into a folder: the layout that `prometheusConfigFolder` of `@fit/stack` and compose's mounts expect. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type MonitoringOptions, renderMonitoringConfig } from './renderMonitoringConfig.ts';

/**
 * Writes `prometheus.yml`, `rules/fit.yml` and `alertmanager.yml`; makes the folder, overwrites the files.
 * @throws the file system's error; the folder may then hold some of the files, and writing again mends it.
 */
export async function writeMonitoringConfig(
  folder: string,
  options: MonitoringOptions,
): Promise<void> {
  for (const [path, text] of renderMonitoringConfig(options)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}
