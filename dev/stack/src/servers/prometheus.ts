/** Prometheus on loopback, with the caller's configuration and rules, and the checkers that belong to it. */
import { existsSync } from 'node:fs';
import { cp, readdir, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { runCommand } from '../process/runCommand.ts';
import { checkHost } from '../root/checkHost.ts';
import { enterRoot, ROOT_ENVIRONMENT } from '../root/enterRoot.ts';
import { rootFolder } from '../root/rootFolders.ts';
import {
  giveToServer,
  makeServerFolder,
  type ServerDefinition,
  type StackSettings,
  writeServerFile,
} from './serverDefinition.ts';
import { answersHttp } from './serverProbes.ts';

/** File with Alertmanager's password as Prometheus sees it: the configuration of Prometheus names the file. */
export const ALERTMANAGER_PASSWORD_FILE = '/stack/prometheus/alertmanager-password';

const RETENTION = '3d';

/** The metrics server of a stack. */
export function prometheus(settings: StackSettings): ServerDefinition {
  const address = `127.0.0.1:${settings.ports.prometheus}`;
  return {
    name: 'prometheus',
    url: `http://${address}`,
    command: [
      '/usr/bin/prometheus',
      '--config.file=/stack/prometheus/config/prometheus.yml',
      '--storage.tsdb.path=/stack/prometheus/data',
      `--storage.tsdb.retention.time=${RETENTION}`,
      `--web.listen-address=${address}`,
      // No page in a browser may read Prometheus: an origin is scheme://host or 'null', never 'none'. The lifecycle API is
      // off, so that no page can stop or reload it either; a reload is SIGHUP.
      '--web.cors.origin=none',
    ],
    environment: { HOME: '/stack/prometheus' },
    listensOn: ['prometheus'],
    prepare: () => prepare(settings),
    ready: () => answersHttp(`http://${address}/-/ready`),
    deadlineMs: 30_000,
    stopSignal: 'SIGTERM',
  };
}

async function prepare(settings: StackSettings): Promise<void> {
  await prepareMonitoring(settings, 'prometheus', minimalConfiguration(settings));
  if (settings.alertmanagerUser === undefined) return;
  const file = join(settings.folder, 'prometheus', basename(ALERTMANAGER_PASSWORD_FILE));
  await writeServerFile(file, settings.alertmanagerUser.password, 0o600);
}

function minimalConfiguration({ ports, alertmanagerUser }: StackSettings): {
  fileName: string;
  text: string;
} {
  const authentication =
    alertmanagerUser === undefined
      ? ''
      : `
      basic_auth: { username: ${alertmanagerUser.name}, password_file: ${ALERTMANAGER_PASSWORD_FILE} }`;
  const text = `global:
  scrape_interval: 5s
alerting:
  alertmanagers:
    - static_configs: [{ targets: ['127.0.0.1:${ports.alertmanager}'] }]${authentication}
scrape_configs:
  - job_name: rabbitmq
    static_configs: [{ targets: ['127.0.0.1:${ports.brokerMetrics}'] }]
`;
  return { fileName: 'prometheus.yml', text };
}

/**
 * Writes `<folder>/<server>/config` at each start, so that a changed rule takes effect, and makes the data folder. The
 * caller's configuration is copied, because the servers may not be allowed to read the caller's folder; without one the
 * fallback is written.
 */
export async function prepareMonitoring(
  settings: StackSettings,
  server: 'prometheus' | 'alertmanager',
  fallback: { readonly fileName: string; readonly text: string },
): Promise<void> {
  const folder = join(settings.folder, server);
  await makeServerFolder(folder);
  await makeServerFolder(join(folder, 'data'));
  const config = join(folder, 'config');
  await rm(config, { recursive: true, force: true });
  if (settings.prometheusConfigFolder !== undefined) {
    await cp(settings.prometheusConfigFolder, config, { recursive: true, dereference: true });
    // Only its owner can read a receiver's secret. Unless the server is the owner, its first notification fails.
    for (const name of await readdir(config, { recursive: true }))
      await giveToServer(join(config, name));
  }
  await makeServerFolder(config);
  const file = join(config, fallback.fileName);
  if (!existsSync(file)) await writeServerFile(file, fallback.text);
}

export interface ToolResult {
  /** 0 when the tool found nothing wrong. */
  readonly code: number;
  /** Standard output and standard error in the order of their arrival. */
  readonly output: string;
}

export interface ToolOptions {
  /** The working directory, and the only folder of the host that the tool sees. */
  readonly cwd: string;
  /** Standard input; default: none. */
  readonly input?: string;
}

/**
 * Runs a tool in the root folder with `cwd` as working directory. The tool sees nothing else of the host, so file
 * arguments are relative to `cwd`; it may write there, with the caller's rights.
 */
async function runTool(
  tool: 'promtool' | 'amtool',
  args: readonly string[],
  { cwd: folder, input }: ToolOptions,
): Promise<ToolResult> {
  const root = await rootFolder();
  const mounts = { stack: resolve(folder) };
  const words = ['env', '--chdir=/stack', `/usr/bin/${tool}`, ...args];
  const command = enterRoot({ root, mode: await checkHost(), mounts, user: 'caller' }, words);
  const { code, output } = await runCommand(command, {
    env: { ...ROOT_ENVIRONMENT, HOME: '/tmp' },
    input,
  });
  return { code, output };
}

/**
 * Runs promtool on files in `cwd`.
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`; a finding of the tool is a result, not an error.
 */
export async function promtool(args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  return await runTool('promtool', args, options);
}

/** As `promtool`, with amtool. */
export async function amtool(args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  return await runTool('amtool', args, options);
}
