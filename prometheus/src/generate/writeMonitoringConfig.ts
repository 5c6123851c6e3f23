/** Puts a rendition into a folder: the layout that `prometheusConfigFolder` of `@fit/stack` and compose's mounts expect. */
import { copySecrets } from './copySecrets.ts';
import { type MonitoringOptions, renderMonitoringConfig } from './renderMonitoringConfig.ts';
import { writeFiles } from './writeFiles.ts';

/**
 * Writes `prometheus.yml`, `rules/fit.yml` and `alertmanager.yml`, and copies the receivers' secrets beside them; makes the
 * folder, overwrites the files.
 * @throws ReceiverError for a secret that cannot be read; the file system's error, and the folder may then hold some of the
 * files: writing again mends it.
 */
export async function writeMonitoringConfig(
  folder: string,
  options: MonitoringOptions,
): Promise<void> {
  await copySecrets(folder, options.receivers);
  await writeFiles(folder, renderMonitoringConfig(options));
}
