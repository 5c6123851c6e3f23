/** Alertmanager on loopback, as a single instance: its cluster port stays closed. */
import { join } from 'node:path';
import { hash } from 'bcryptjs';
import type { StackPorts } from '../ports.ts';
import { type Credentials, loadCredentials, USER_NAME } from './credentials.ts';
import { ALERTMANAGER_PASSWORD_FILE, prepareMonitoring } from './prometheus.ts';
import { type ServerDefinition, type StackSettings, writeServerFile } from './serverDefinition.ts';
import { answersHttp } from './serverProbes.ts';

/** bcrypt's usual cost; security does not depend on it, since the password has 256 random bits. */
const BCRYPT_COST = 10;

/** Shows alerts on Alertmanager's page and sends nothing. */
const MINIMAL_CONFIGURATION = `route:
  receiver: page-only
receivers:
  - name: page-only
`;

const WEB_CONFIGURATION = 'web.yml';

/**
 * Alertmanager of a stack. Version 0.33.1 answers /api/v2 with `Access-Control-Allow-Origin: *`, silences included, has no
 * option for it, and reloads at a POST of any client. Only a password keeps out local users, and pages in a browser of
 * this machine.
 */
export function alertmanager(settings: StackSettings): ServerDefinition {
  const { alertmanagerUser: user } = settings;
  const address = `127.0.0.1:${settings.ports.alertmanager}`;
  return {
    name: 'alertmanager',
    url: `http://${address}`,
    command: [
      '/usr/bin/prometheus-alertmanager',
      '--config.file=/stack/alertmanager/config/alertmanager.yml',
      '--storage.path=/stack/alertmanager/data',
      `--web.listen-address=${address}`,
      '--cluster.listen-address=',
      ...(user === undefined ? [] : [`--web.config.file=/stack/alertmanager/${WEB_CONFIGURATION}`]),
    ],
    environment: { HOME: '/stack/alertmanager' },
    listensOn: ['alertmanager'],
    prepare: () => prepare(settings),
    ready: () => answersHttp(`http://${address}/-/ready`, user),
    deadlineMs: 30_000,
    stopSignal: 'SIGTERM',
  };
}

async function prepare(settings: StackSettings): Promise<void> {
  const minimal = { fileName: 'alertmanager.yml', text: MINIMAL_CONFIGURATION };
  await prepareMonitoring(settings, 'alertmanager', minimal);
  if (settings.alertmanagerUser === undefined) return;
  const file = join(settings.folder, 'alertmanager', WEB_CONFIGURATION);
  await writeServerFile(file, await webConfiguration(settings.alertmanagerUser), 0o600);
}

/** How Prometheus logs in at the Alertmanager of a stack with passwords. */
export const ALERTMANAGER_LOGIN = {
  username: USER_NAME,
  passwordFile: ALERTMANAGER_PASSWORD_FILE,
} as const;

/** Where a stack keeps the URL of its Alertmanager, with the password. */
export function alertmanagerFile(folder: string): string {
  return join(folder, 'alertmanager.env');
}

/** As `loadCredentials`, with Alertmanager's URL for this start's port. */
export function loadAlertmanagerUser(folder: string, ports: StackPorts): Credentials {
  return loadCredentials({
    path: alertmanagerFile(folder),
    variable: 'ALERTMANAGER_URL',
    variables: (userInfo) => ({
      ALERTMANAGER_URL: `http://${userInfo}@127.0.0.1:${ports.alertmanager}`,
    }),
  });
}

/** @returns the text of Alertmanager's web configuration; every request, also that for readiness, needs the password. */
async function webConfiguration({ name, password }: Credentials): Promise<string> {
  const users = { [name]: await hash(password, BCRYPT_COST) };
  // JSON is valid YAML.
  return `${JSON.stringify({ basic_auth_users: users })}\n`;
}
