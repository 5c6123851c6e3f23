/** The broker's only user, an administrator. */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { StackPorts } from '../ports.ts';
import { type Login, loadLogin } from './login.ts';

const SALT_BYTES = 4;

/** Where a stack keeps the URLs of its broker, with the password. */
export function brokerFile(folder: string): string {
  return join(folder, 'broker.env');
}

/** As `loadLogin`, with the broker's URLs for this start's ports. */
export function loadBrokerUser(folder: string, ports: StackPorts): Login {
  return loadLogin({
    path: brokerFile(folder),
    variable: 'AMQP_URL',
    variables: (login) => ({
      AMQP_URL: `amqp://${login}@127.0.0.1:${ports.amqp}`,
      AMQP_MANAGEMENT_URL: `http://${login}@127.0.0.1:${ports.management}`,
      BROKER: login,
    }),
  });
}

/**
 * What the broker imports at every start: the user with its present password, whatever its data say, and the virtual host
 * that it makes by itself only where nothing is imported.
 * @returns JSON of RabbitMQ's definitions, with a salted hash in place of the password.
 */
export function brokerDefinitions({ name, password }: Login): string {
  const salt = randomBytes(SALT_BYTES);
  const digest = createHash('sha256').update(salt).update(password).digest();
  const user = {
    name,
    password_hash: Buffer.concat([salt, digest]).toString('base64'),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags: ['administrator'],
  };
  const permissions = { user: name, vhost: '/', configure: '.*', write: '.*', read: '.*' };
  return JSON.stringify({
    users: [user],
    vhosts: [{ name: '/' }],
    permissions: [permissions],
  });
}
