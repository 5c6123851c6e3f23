/** The broker that `npm start` or `npm run stack -- up` started, for processes that were given no other. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';

/** The native stack writes this file, readable by its owner alone: the broker's URLs with the password. */
const NATIVE_BROKER_FILE = resolve(import.meta.dirname, '../../.stack/main/broker.env');

/**
 * Where `AMQP_URL` is unset or empty, sets it from the stack's file, and `AMQP_MANAGEMENT_URL` as well where that is unset.
 * Without a readable file nothing changes. Call it before the log is opened: the log masks the passwords that it finds in
 * the environment at that moment.
 */
export function useNativeBroker(env: NodeJS.ProcessEnv, file = NATIVE_BROKER_FILE): void {
  if ((env['AMQP_URL'] ?? '') !== '') return;
  const { AMQP_URL, AMQP_MANAGEMENT_URL } = readVariables(file);
  if (AMQP_URL === undefined) return;
  env['AMQP_URL'] = AMQP_URL;
  const isManagementSet = (env['AMQP_MANAGEMENT_URL'] ?? '') !== '';
  if (!isManagementSet) env['AMQP_MANAGEMENT_URL'] = AMQP_MANAGEMENT_URL;
}

function readVariables(file: string): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}
