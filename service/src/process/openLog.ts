/** The log: one JSON object per line on standard output, with the fields of its request or attempt and without secrets. */
import { LOG_LEVELS, optionalText } from '@fit/contract';
import { type Logger, pino } from 'pino';
import { describeForLog } from './describeForLog.ts';
import { logFields } from './logContext.ts';
import { redactSecrets, secretsOf } from './redactSecrets.ts';

export type Log = Logger;

/** No line is meant to have these fields. They are removed as well, so that a careless line does not publish them. */
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
 * `LOG_LEVEL` sets the lowest level that is written; default info.
 * A level that does not exist counts as the default here: the check of the whole configuration runs later, needs a log, and reports
 * the wrong level together with every other finding.
 */
export function openLog(service: string): Log {
  const asked = optionalText(process.env, 'LOG_LEVEL');
  const level = LOG_LEVELS.find((known) => known === asked) ?? LOG_LEVELS[0];
  const secrets = secretsOf(process.env);
  return pino({
    level,
    base: { service, pid: process.pid },
    mixin: logFields,
    redact: REDACTED,
    serializers: { err: describeForLog },
    hooks: { streamWrite: (line) => redactSecrets(line, secrets) },
  });
}
