/** The coach's configuration. */
import {
  type Environment,
  EnvironmentReader,
  readServiceConfig,
  type ServiceConfig,
} from '@fit/contract';

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

/** @throws ConfigError naming every fault. */
export function readCoachConfig(env: Environment): CoachConfig {
  const reader = new EnvironmentReader(env);
  const config = {
    ...readServiceConfig(reader, { port: 12_101, metricsPort: 12_112 }),
    failureRate: reader.number('COACH_FAILURE_RATE', 0, { min: 0, max: 1, isWhole: false }),
    workMs: reader.number('COACH_WORK_MS', 0, { min: 0, max: 600_000 }),
    prefetchCount: reader.number('COACH_PREFETCH', 250, { min: 1, max: 10_000 }),
    concurrency: reader.number('COACH_CONCURRENCY', 10, { min: 1, max: 1_000 }),
    deadlineMs: reader.number('COACH_DEADLINE_MS', 30_000, { min: 100, max: 600_000 }),
  };
  reader.finish();
  return config;
}
