/**
 * The broker's user: an administrator with a password that is made at the first start, so that a local user who cannot
 * read the stack's folder is nobody to the broker.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import type { StackPorts } from '../ports.ts';

const USER = 'fit';
/** 256 bits, in characters that URLs and shells take as they are. */
const PASSWORD_BYTES = 32;
const PASSWORD = /^[\w-]{43}$/;
const SALT_BYTES = 4;
const OWNER_ONLY = 0o600;

export interface BrokerUser {
  readonly name: string;
  readonly password: string;
}

/** Where a stack keeps the URLs of its broker, with the password. */
export function brokerFile(folder: string): string {
  return join(folder, 'broker.env');
}

/**
 * Reads the password of the last start, or makes one, and writes the URLs for this start's ports as a shell and Node read
 * them. The file is replaced whole and readable by its owner alone; call it only while the folder is claimed.
 */
export function loadBrokerUser(folder: string, ports: StackPorts): BrokerUser {
  const file = brokerFile(folder);
  const password = passwordIn(file) ?? randomBytes(PASSWORD_BYTES).toString('base64url');
  const login = `${USER}:${password}`;
  const lines = [
    '# The native broker with its password. In a shell: . THIS-FILE',
    `export AMQP_URL=amqp://${login}@127.0.0.1:${ports.amqp}`,
    `export AMQP_MANAGEMENT_URL=http://${login}@127.0.0.1:${ports.management}`,
    `export BROKER=${login}`,
  ];
  const aside = `${file}.new`;
  writeFileSync(aside, `${lines.join('\n')}\n`, { mode: OWNER_ONLY });
  // The mode of `writeFile` does not change that of a file that an interrupted start left.
  chmodSync(aside, OWNER_ONLY);
  renameSync(aside, file);
  return { name: USER, password };
}

function passwordIn(file: string): string | undefined {
  try {
    const { AMQP_URL = '' } = parseEnv(readFileSync(file, 'utf8'));
    const { password } = new URL(AMQP_URL);
    return PASSWORD.test(password) ? password : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What the broker imports at every start: the user with its present password, whatever its data say, and the virtual host
 * that it makes by itself only where nothing is imported.
 * @returns JSON of RabbitMQ's definitions, with a salted hash in place of the password.
 */
export function brokerDefinitions({ name, password }: BrokerUser): string {
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
