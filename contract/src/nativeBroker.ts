/** The broker of a plain `npm start` or `npm run stack -- up`, for processes and tools that are told of no other. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';

/** Written by the stack, for its owner alone: the broker's URLs with the password. */
const NATIVE_BROKER_FILE = resolve(import.meta.dirname, '../../.stack/main/broker.env');

/**
 * Sets `AMQP_URL`, and `AMQP_MANAGEMENT_URL` where that is absent, too, from the stack's file, if `AMQP_URL` is absent or
 * empty. Call it before the log is opened, which keeps the passwords of the environment out of its lines.
 * Without a file that this user may read nothing changes: then the defaults hold.
 */
export function useNativeBroker(env: NodeJS.ProcessEnv, file = NATIVE_BROKER_FILE): void {
  const isGiven = (name: string): boolean => (env[name] ?? '') !== '';
  if (isGiven('AMQP_URL')) return;
  const { AMQP_URL, AMQP_MANAGEMENT_URL } = readVariables(file);
  if (AMQP_URL === undefined) return;
  env['AMQP_URL'] = AMQP_URL;
  if (!isGiven('AMQP_MANAGEMENT_URL')) env['AMQP_MANAGEMENT_URL'] = AMQP_MANAGEMENT_URL;
}

function readVariables(file: string): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}
