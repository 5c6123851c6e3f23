/** What the owner of a kind of job may declare, as written by hand. Every option has a unit, a default and a bound. */
import type { Duration } from './duration.ts';

/** What may be lost, said aloud. The planner does nothing that is listed here unless it is declared. */
export const UNSAFE = ['drop-head', 'classic'] as const;
/**
 * `drop-head`: a full main queue dead-letters its oldest message, at most once: a broker that dies at that moment loses it.
 * `classic`: classic queues dead-letter at most once, are not replicated, and count no crashes: a killer comes back for ever.
 */
export type Unsafe = (typeof UNSAFE)[number];

export const BACKENDS = ['tiers', 'native', 'auto'] as const;
/**
 * `tiers`: a wait queue per tier; any broker from 3.10 on. `native`: RabbitMQ's own delayed retry (from 4.3.1 on), one
 * queue, linear delays. `auto`: native where the broker has it and the tiers are linear, else tiers.
 */
export type Backend = (typeof BACKENDS)[number];

/** The load that the main queue's limit is checked against. */
export interface Load {
  /** Jobs that are published per second, sustained; above 0. */
  readonly perSecond: number;
  /** Share of attempts that fail, 0 to 1. */
  readonly failureRatio: number;
}

/** One kind of job: key, queue and tiers are needed, the rest has defaults. */
export interface KindOptions {
  /** Public routing key, concrete (no wildcard). */
  readonly key: string;
  /** Main queue; its wait, dead-letter and exchange names derive from it. */
  readonly queue: string;
  /** Waits between attempts, each above 0 and below 2^32 ms, at most ten. n tiers make n + 1 attempts. */
  readonly tiers: readonly Duration[];
  /** Default `rising`: a tier that is not longer than the one before it is refused. */
  readonly tierOrder?: 'rising' | 'any';
  /** Messages that the main queue holds before it refuses more; default 10,000; at least 1. */
  readonly maxLength?: number;
  /** Deliveries that may end with a dead worker before the job is dead-lettered; default 5; not below the attempts' number. */
  readonly crashLimit?: number;
  /** Time to live in the main queue. Default none: a job that waits long is late, not void. */
  readonly messageTtl?: Duration;
  /** Bound of one attempt; default 60 s; below 30 minutes, when the broker takes an unsettled message away. */
  readonly deadline?: Duration;
  /** Names of errors that trying again cannot mend: thrown by a handler they mean reject. Default none. */
  readonly nonRetryable?: readonly string[];
  /** Two lanes in the main queue: a message published as urgent overtakes. Needs RabbitMQ 4.0. Default false. */
  readonly hasPriorities?: boolean;
  /** Checked against the limit: what waits in the tiers comes back, and must fit. Default: not checked. */
  readonly load?: Load;
  /** Default `tiers`. */
  readonly backend?: Backend;
  /** Default `quorum`. `classic` needs `unsafe: ['classic']`. */
  readonly queueType?: 'quorum' | 'classic';
  readonly unsafe?: readonly Unsafe[];
}
