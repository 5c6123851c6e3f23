/** The daily trigger's configuration. */
import Type from 'typebox';
import {
  ConfigError,
  checkEnvironment,
  type Environment,
  httpUrl,
  SECRET,
  text,
  wholeNumber,
} from './environment.ts';
import { ANY_PORT, HOST, TIMEZONE } from './readServiceConfig.ts';

export interface CronConfig {
  /** The monolith. */
  readonly fitUrl: string;
  /** Undefined: it is read from `adminTokenFile`. */
  readonly adminToken: string | undefined;
  readonly adminTokenFile: string;
  readonly schedule: string;
  /** IANA name; its day is today. */
  readonly timezone: string;
  /** How long to wait for a run. */
  readonly waitMs: number;
  /** Age of the oldest missed slot that is caught up at start; 0: none is. */
  readonly catchUpMs: number;
  readonly host: string;
  readonly metricsPort: number;
}

const DAY_MS = 86_400_000;

const CRON_VARIABLES = Type.Object({
  FIT_URL: httpUrl('http://127.0.0.1:12100'),
  FIT_ADMIN_TOKEN: SECRET,
  FIT_ADMIN_TOKEN_FILE: text('.fit/admin-token'),
  CRON_SCHEDULE: text('0 5 * * *'),
  CRON_TIMEZONE: TIMEZONE,
  CRON_WAIT_MS: wholeNumber({ default: 3_600_000, minimum: 1_000, maximum: DAY_MS }),
  CRON_CATCH_UP_MS: wholeNumber({ default: DAY_MS, minimum: 0, maximum: 31 * DAY_MS }),
  HOST,
  METRICS_PORT: wholeNumber({ default: 12_115, ...ANY_PORT }),
});

/**
 * Reads everything that cron is told by variables.
 * @param problemOfSchedule asked with CRON_SCHEDULE, whatever else is wrong; it returns what is wrong with the schedule, such
 * as the reason of its parser, or undefined.
 * @throws ConfigError with every finding at once.
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
    adminToken: value.FIT_ADMIN_TOKEN,
    adminTokenFile: value.FIT_ADMIN_TOKEN_FILE,
    schedule: value.CRON_SCHEDULE,
    timezone: value.CRON_TIMEZONE,
    waitMs: value.CRON_WAIT_MS,
    catchUpMs: value.CRON_CATCH_UP_MS,
    host: value.HOST,
    metricsPort: value.METRICS_PORT,
  };
}
