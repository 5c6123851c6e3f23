/** The coach's configuration. */
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
  /** Share of attempts that fail on purpose; default 0. */
  readonly failureRate: number;
  /** Time that each attempt takes on purpose; default 0. */
  readonly workMs: number;
  /** Deliveries unsettled at a time, and the largest batch; default 250. */
  readonly prefetchCount: number;
  /** Handlers that run at a time; default 10. */
  readonly concurrency: number;
  /** Bound of one attempt, far below the broker's ack timeout of 30 minutes; default 30,000. */
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
