/** Puts a rendition into a folder: the layout that `prometheusConfigFolder` of `@fit/stack` and compose's mounts expect. */
import { type MonitoringOptions, renderMonitoringConfig } from './renderMonitoringConfig.ts';
import { writeFiles } from './writeFiles.ts';

/**
 * Writes `prometheus.yml`, `rules/fit.yml` and `alertmanager.yml`; makes the folder, overwrites the files.
 * @throws the file system's error; the folder may then hold some of the files, and writing again mends it.
 */
export async function writeMonitoringConfig(
  folder: string,
  options: MonitoringOptions,
): Promise<void> {
  await writeFiles(folder, renderMonitoringConfig(options));
}
