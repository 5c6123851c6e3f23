/** The only user of Alertmanager, which people, Prometheus and the monolith share. */
import { join } from 'node:path';
import { hash } from 'bcryptjs';
import type { StackPorts } from '../ports.ts';
import { type Login, loadLogin, USER_NAME } from './login.ts';

/** bcrypt's usual one; the password is 256 random bits, so nothing depends on it. */
const BCRYPT_COST = 10;

/** Where Prometheus has the password, as it sees it: its configuration names the file. */
export const ALERTMANAGER_PASSWORD_FILE = '/stack/prometheus/alertmanager-password';

/** How Prometheus logs in at the Alertmanager of a stack with passwords. */
export const ALERTMANAGER_LOGIN = {
  username: USER_NAME,
  passwordFile: ALERTMANAGER_PASSWORD_FILE,
} as const;

/** Where a stack keeps the URL of its Alertmanager, with the password. */
export function alertmanagerFile(folder: string): string {
  return join(folder, 'alertmanager.env');
}

/** As `loadLogin`, with Alertmanager's URL for this start's port. */
export function loadAlertmanagerUser(folder: string, ports: StackPorts): Login {
  return loadLogin({
    path: alertmanagerFile(folder),
    variable: 'ALERTMANAGER_URL',
    variables: (login) => ({
      ALERTMANAGER_URL: `http://${login}@127.0.0.1:${ports.alertmanager}`,
    }),
  });
}

/** @returns the text of Alertmanager's web configuration: every request, that for readiness too, needs the password. */
export async function webConfiguration({ name, password }: Login): Promise<string> {
  const users = { [name]: await hash(password, BCRYPT_COST) };
  // JSON is YAML, too.
  return `${JSON.stringify({ basic_auth_users: users })}\n`;
}
