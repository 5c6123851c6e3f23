/** Configuration of `npm run cron`, the daily trigger. */
import Type from 'typebox';
import {
  ConfigError,
  checkEnvironment,
  type Environment,
  httpUrl,
  secret,
  text,
  wholeNumber,
} from './environment.ts';
import { HOST, metricsPort, TIMEZONE } from './readServiceConfig.ts';

export interface CronConfig {
  /** Address of the monolith. */
  readonly fitUrl: string;
  /** Undefined: the secret is read from `cronSecretFile`. */
  readonly cronSecret: string | undefined;
  readonly cronSecretFile: string;
  readonly schedule: string;
  /** IANA name of the time zone whose calendar day is today. */
  readonly timezone: string;
  /** How long to wait for the end of a run, in milliseconds. */
  readonly waitMs: number;
  /** Greatest age, in milliseconds, at which a missed slot is requested at start; 0: never. */
  readonly catchUpMs: number;
  readonly host: string;
  readonly metricsPort: number;
}

const DAY_MS = 86_400_000;

/** The secret of cron's account, as the monolith and cron read it. */
export const CRON_SECRET_VARIABLES = {
  FIT_CRON_SECRET: Type.Optional(
    secret({
      unit: '32 to 1,024 random characters',
      description: "secret of cron's account; unset: the one in `FIT_CRON_SECRET_FILE`",
    }),
  ),
  FIT_CRON_SECRET_FILE: text({
    default: '.fit/cron-secret',
    unit: 'path',
    description:
      'file of this secret; the monolith makes it at its first start. A new content is used without a restart',
  }),
};

export const CRON_VARIABLES = Type.Object({
  FIT_URL: httpUrl({ default: 'http://127.0.0.1:12100', description: 'address of the monolith' }),
  ...CRON_SECRET_VARIABLES,
  CRON_SCHEDULE: text({
    default: '0 5 * * *',
    unit: 'cron expression',
    description: 'when the daily run is due',
  }),
  CRON_TIMEZONE: TIMEZONE,
  CRON_WAIT_MS: wholeNumber({
    default: 3_600_000,
    minimum: 1_000,
    maximum: DAY_MS,
    unit: 'milliseconds',
    description: 'how long cron waits for the end of a run',
  }),
  CRON_CATCH_UP_MS: wholeNumber({
    default: DAY_MS,
    minimum: 0,
    maximum: 31 * DAY_MS,
    unit: 'milliseconds (0: never)',
    description: 'a missed slot is requested at start where it is no older than this',
  }),
  HOST,
  METRICS_PORT: metricsPort(12_115),
});

/**
 * Reads the environment of cron.
 * @param problemOfSchedule returns why CRON_SCHEDULE cannot be used, or undefined. It is passed in, because services load this
 * module without the parser of schedules.
 * @throws ConfigError with every finding.
 */
export function readCronConfig(
  env: Environment,
  problemOfSchedule: (schedule: string) => string | undefined,
): CronConfig {
  const { value, findings } = checkEnvironment(CRON_VARIABLES, env);
  const problem = problemOfSchedule(value.CRON_SCHEDULE);
  const all =
    problem === undefined
      ? findings
      : [
          ...findings,
          `CRON_SCHEDULE='${value.CRON_SCHEDULE}' is no schedule, such as '0 5 * * *': ${problem}`,
        ];
  if (all.length > 0) throw new ConfigError(all);
  return {
    fitUrl: value.FIT_URL,
    cronSecret: value.FIT_CRON_SECRET,
    cronSecretFile: value.FIT_CRON_SECRET_FILE,
    schedule: value.CRON_SCHEDULE,
    timezone: value.CRON_TIMEZONE,
    waitMs: value.CRON_WAIT_MS,
    catchUpMs: value.CRON_CATCH_UP_MS,
    host: value.HOST,
    metricsPort: value.METRICS_PORT,
  };
}
