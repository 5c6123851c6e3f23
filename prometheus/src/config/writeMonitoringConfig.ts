/** Makes the folder that Prometheus and Alertmanager read: `prometheus.yml`, `rules/fit.yml`, `alertmanager.yml`, secrets. */
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceSecretFile } from '@fit/service/secret-file';
import { type Declaration, planTopology } from '@fit/topology';
import { type RuleOptions, renderRules } from '../rules/renderRules.ts';
import { type AlertReceivers, ReceiverError } from './receivers.ts';
import { renderAlertmanager, SLACK_URL_PATH, SMTP_PASSWORD_PATH } from './renderAlertmanager.ts';
import { type AlertmanagerLogin, RULES_FILE, renderScrapeConfig } from './renderScrapeConfig.ts';
import type { MonitoringTargets } from './targets.ts';

export interface MonitoringOptions extends RuleOptions {
  readonly declaration: Declaration;
  readonly targets: MonitoringTargets;
  /** Default: none; alerts are visible at Alertmanager. */
  readonly receivers?: AlertReceivers;
  /** Absent: Alertmanager requires no password. */
  readonly alertmanagerLogin?: AlertmanagerLogin;
}

/** Names, roles, limits and times are alike on every broker; only arguments and policies depend on its version. */
const ANY_BROKER = { version: '4.3.6', hasManagement: true } as const;

/** @returns text by path relative to the folder. */
export function renderMonitoringConfig(options: MonitoringOptions): ReadonlyMap<string, string> {
  const { targets, vhost = '/', alertmanagerLogin } = options;
  const scrapes = renderScrapeConfig({
    targets,
    vhost,
    ...(alertmanagerLogin === undefined ? {} : { alertmanagerLogin }),
  });
  const { receivers, windows } = options;
  return new Map([
    ['prometheus.yml', scrapes],
    [RULES_FILE, renderRules(planTopology(options.declaration, ANY_BROKER), options)],
    ['alertmanager.yml', renderAlertmanager(receivers, windows, targets.alertmanagerFolder)],
  ]);
}

/**
 * Writes the three files and copies the secrets of the receivers beside them; makes the folder, overwrites the files.
 * @throws ReceiverError for a secret that cannot be read; the error of the file system. The folder may then hold some of the
 * files; writing again repairs it.
 */
export async function writeMonitoringConfig(
  folder: string,
  options: MonitoringOptions,
): Promise<void> {
  await copySecrets(folder, options.receivers);
  await writeFiles(folder, renderMonitoringConfig(options));
}

/** Makes the folders, overwrites the files, keeps other files. @throws the error of the file system. */
export async function writeFiles(
  folder: string,
  texts: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [path, text] of texts) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

interface SecretFile {
  readonly variable: string;
  readonly source: string;
  /** Path of the copy, relative to alertmanager.yml. */
  readonly path: string;
}

/** @returns the files that must be copied beside the configuration. */
export function secretFiles({ slackUrlFile, mail }: AlertReceivers): readonly SecretFile[] {
  return [
    { variable: 'ALERT_SLACK_URL_FILE', source: slackUrlFile, path: SLACK_URL_PATH },
    { variable: 'ALERT_SMTP_PASSWORD_FILE', source: mail?.passwordFile, path: SMTP_PASSWORD_PATH },
  ].flatMap(({ source, ...rest }) => (source === undefined ? [] : [{ ...rest, source }]));
}

/**
 * Copies the secrets, since Alertmanager sees nothing of the host but this folder. Each copy has the mode of its source.
 * @throws ReceiverError that names the variable whose file cannot be read or is empty.
 */
export async function copySecrets(folder: string, receivers: AlertReceivers = {}): Promise<void> {
  for (const { variable, source, path } of secretFiles(receivers)) {
    const file = join(folder, path);
    try {
      const secret = await readFile(source);
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

const READABLE_FILE_MODE = 0o644;
const READABLE_FOLDER_MODE = 0o755;
const OWNER_ONLY_FOLDER_MODE = 0o700;

/**
 * Lets the users of the containers read the configurations below a folder, copies of secrets included, and keeps all other users
 * of this machine out. Alertmanager runs as another user under compose: it could not read a copy with the owner-only mode of
 * its source, would look healthy, and would fail at the first alert. The folder above belongs to its owner alone; that keeps
 * no container out, since Docker resolves mounts as root, or as the owner if it runs without root.
 * @param folder the parent of the configurations.
 * @param profiles the names of the configurations.
 * @throws the error of the file system, also if the folder belongs to another user.
 */
export async function openToContainers(folder: string, profiles: readonly string[]): Promise<void> {
  await chmod(folder, OWNER_ONLY_FOLDER_MODE);
  for (const profile of profiles) {
    const root = join(folder, profile);
    await chmod(root, READABLE_FOLDER_MODE);
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
      await chmod(
        join(entry.parentPath, entry.name),
        entry.isDirectory() ? READABLE_FOLDER_MODE : READABLE_FILE_MODE,
      );
  }
}
