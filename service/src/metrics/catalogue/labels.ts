/** Label bounds and buckets that several metrics share. */
import { DEATH_CAUSES } from '@fit/topology';

export const QUEUE = { known: 'queue' } as const;
export const MAIN_QUEUE = { known: 'mainQueue' } as const;
export const WAIT_QUEUE = { known: 'waitQueue' } as const;
export const VHOST = { known: 'vhost' } as const;
/** The kind of job. */
export const TYPE = { known: 'type' } as const;
export const REASON = [...DEATH_CAUSES, 'forged'] as const;
export const END_OUTCOME = ['success', 'dead'] as const;
export const ATTEMPT_OUTCOME = ['success', 'retry', 'dead', 'discarded'] as const;

/** From a blink to half an hour. 60 is the SLO's bound, and must stay a bucket of its own. */
export const LATENCY_SECONDS = [
  0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800,
] as const;
