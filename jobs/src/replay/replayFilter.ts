/** Which dead jobs a replay means. Everything given must hold; nothing given means all of them. */
import type { DeathCause } from '@fit/topology';

export interface ReplayFilter {
  readonly userId?: string;
  readonly cause?: DeathCause;
  /** YYYY-MM-DD. */
  readonly date?: string;
}

/** @returns the filter as a query on dead job records. */
export function deadJobs(filter: ReplayFilter): Record<string, unknown> {
  return {
    state: 'dead',
    ...(filter.userId === undefined ? {} : { 'key.userId': filter.userId }),
    ...(filter.cause === undefined ? {} : { 'death.cause': filter.cause }),
    ...(filter.date === undefined ? {} : { 'key.date': filter.date }),
  };
}
