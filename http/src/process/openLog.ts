/** The log: one JSON object per line on standard output, about this request or attempt, without secrets. */
import { EnvironmentReader } from '@fit/contract';
import { type Logger, pino } from 'pino';
import { describeForLog } from './describeForLog.ts';
import { logFields } from './logContext.ts';
import { readSecrets, scrub } from './scrub.ts';

export type Log = Logger;

/** The first is the default. */
const LEVELS = ['info', 'trace', 'debug', 'warn', 'error', 'fatal', 'silent'] as const;

/** A last guard: no line is meant to hold any of these, and no careless one shall. */
const REDACTED = [
  'payload',
  'body',
  'headers',
  'authorization',
  'token',
  'password',
  'url.password',
];

/**
 * `LOG_LEVEL` sets the least level.
 * A level that does not exist ends the process with a line that names the variable.
 */
export function openLog(service: string): Log {
  const reader = new EnvironmentReader(process.env);
  const level = reader.choice('LOG_LEVEL', LEVELS);
  const secrets = readSecrets(process.env);
  const log = pino({
    level,
    base: { service, pid: process.pid },
    mixin: logFields,
    redact: REDACTED,
    serializers: { err: describeForLog },
    hooks: { streamWrite: (line) => scrub(line, secrets) },
  });
  try {
    reader.finish();
  } catch (error) {
    log.fatal({ err: error }, error instanceof Error ? error.message : 'start failed');
    process.exit(1);
  }
  return log;
}
