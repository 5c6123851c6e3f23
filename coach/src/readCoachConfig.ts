/** Reads the configuration of the coach from the environment. */
import {
  type Environment,
  readServiceConfig,
  type ServiceConfig,
  serviceVariables,
  share,
  wholeNumber,
} from '@fit/contract';
import Type from 'typebox';

export interface CoachConfig extends ServiceConfig {
  /** The share of attempts that fail on purpose, 0 to 1; default 0. */
  readonly failureRate: number;
  /** Milliseconds that each attempt waits on purpose; default 0. */
  readonly workMs: number;
  /** Unsettled deliveries at a time, and the largest batch of settlements; default 250. */
  readonly prefetchCount: number;
  /** Handlers that run at a time; default 10. */
  readonly concurrency: number;
  /** The bound of one attempt in milliseconds, far below the broker's acknowledgement timeout of 30 minutes; default 30,000. */
  readonly deadlineMs: number;
}

const COACH_VARIABLES = Type.Object({
  ...serviceVariables({ port: 12_101, metricsPort: 12_112 }),
  COACH_FAILURE_RATE: share(0),
  COACH_WORK_MS: wholeNumber({ default: 0, minimum: 0, maximum: 600_000 }),
  COACH_PREFETCH: wholeNumber({ default: 250, minimum: 1, maximum: 10_000 }),
  COACH_CONCURRENCY: wholeNumber({ default: 10, minimum: 1, maximum: 1_000 }),
  COACH_DEADLINE_MS: wholeNumber({ default: 30_000, minimum: 100, maximum: 600_000 }),
});

/** @throws ConfigError with every finding at once. */
export function readCoachConfig(env: Environment): CoachConfig {
  const { service, own } = readServiceConfig(COACH_VARIABLES, env);
  return {
    ...service,
    failureRate: own.COACH_FAILURE_RATE,
    workMs: own.COACH_WORK_MS,
    prefetchCount: own.COACH_PREFETCH,
    concurrency: own.COACH_CONCURRENCY,
    deadlineMs: own.COACH_DEADLINE_MS,
  };
}
