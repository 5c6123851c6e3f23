/** The log: one JSON object per line on standard output, about this request or attempt, without secrets. */
import { LOG_LEVELS, optionalText } from '@fit/contract';
import { type Logger, pino } from 'pino';
import { describeForLog } from './describeForLog.ts';
import { logFields } from './logContext.ts';
import { readSecrets, scrub } from './scrub.ts';

export type Log = Logger;

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
 * One that does not exist counts as the default here: the check of the whole configuration, which follows and needs a
 * log, names it together with every other finding.
 */
export function openLog(service: string): Log {
  const asked = optionalText(process.env, 'LOG_LEVEL');
  const level = LOG_LEVELS.find((known) => known === asked) ?? LOG_LEVELS[0];
  const secrets = readSecrets(process.env);
  return pino({
    level,
    base: { service, pid: process.pid },
    mixin: logFields,
    redact: REDACTED,
    serializers: { err: describeForLog },
    hooks: { streamWrite: (line) => scrub(line, secrets) },
  });
}
