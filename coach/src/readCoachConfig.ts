/** Reads the configuration of the coach from the environment. */
import {
  type Environment,
  RUNTIME_SETTINGS,
  type RuntimeSettings,
  readServiceConfig,
  type ServiceConfig,
  serviceVariables,
  wholeNumber,
} from '@fit/contract';
import Type from 'typebox';

export interface CoachConfig extends ServiceConfig {
  /** The settings that can be changed at run time, as the environment states them. */
  readonly settings: Pick<RuntimeSettings, 'COACH_FAILURE_RATE'>;
  /** Time that each attempt takes on purpose, in milliseconds. */
  readonly workMs: number;
  /** Unsettled deliveries at a time: two stages settle up to 500 each, and as many wait, so that the next batches are full. */
  readonly prefetchCount: number;
  /** Handlers that run at a time. */
  readonly concurrency: number;
  /** Bound of one attempt in milliseconds, far below the broker's acknowledgement timeout of 30 minutes. */
  readonly deadlineMs: number;
}

/** Every variable that the coach reads, with default, bound and documentation. */
export const COACH_VARIABLES = Type.Object({
  ...serviceVariables({ port: 12_101, metricsPort: 12_112 }),
  COACH_FAILURE_RATE: RUNTIME_SETTINGS.COACH_FAILURE_RATE,
  COACH_WORK_MS: wholeNumber({
    default: 0,
    minimum: 0,
    maximum: 600_000,
    unit: 'milliseconds',
    description: 'time that each attempt takes on purpose',
  }),
  COACH_PREFETCH: wholeNumber({
    default: 2_000,
    minimum: 1,
    maximum: 10_000,
    unit: 'deliveries',
    description:
      'unsettled deliveries at a time; two stages settle up to 500 each, and as many wait',
  }),
  COACH_CONCURRENCY: wholeNumber({
    default: 10,
    minimum: 1,
    maximum: 1_000,
    unit: 'handlers',
    description: 'handlers that run at a time',
  }),
  COACH_DEADLINE_MS: wholeNumber({
    default: 30_000,
    minimum: 100,
    maximum: 600_000,
    unit: 'milliseconds',
    description: 'bound of one attempt',
  }),
});

/** @throws ConfigError with every finding. */
export function readCoachConfig(env: Environment): CoachConfig {
  const { service, own } = readServiceConfig(COACH_VARIABLES, env);
  return {
    ...service,
    settings: { COACH_FAILURE_RATE: own.COACH_FAILURE_RATE },
    workMs: own.COACH_WORK_MS,
    prefetchCount: own.COACH_PREFETCH,
    concurrency: own.COACH_CONCURRENCY,
    deadlineMs: own.COACH_DEADLINE_MS,
  };
}
