/** What the owner of a kind of job may declare. */
import type { Duration } from './duration.ts';

/** Unsafe options: without their declaration the planner plans none of them. */
export const UNSAFE = ['drop-head', 'classic'] as const;
/**
 * `drop-head`: a full main queue dead-letters its oldest message at most once: a broker that crashes at that moment loses
 * it. `classic`: classic queues dead-letter at most once, are not replicated, and count no crashes: a message that crashes
 * its worker is delivered for ever.
 */
export type Unsafe = (typeof UNSAFE)[number];

/** Back ends that can be declared. */
export const BACKENDS = ['tiers', 'native', 'auto'] as const;
/**
 * `tiers`: a wait queue per tier; any broker from 3.10 on. `native`: RabbitMQ's own delayed retry (from 4.3.1 on), one
 * queue, linear delays. `auto`: native if the broker has it and the tiers are linear, otherwise tiers.
 */
export type Backend = (typeof BACKENDS)[number];

/** Expected load, from which the return capacity is calculated. */
export interface Load {
  /** Jobs published per second on average; above 0. */
  readonly perSecond: number;
  /** Share of attempts that fail, 0 to 1. */
  readonly failureRatio: number;
}

/** Names of queues that other programs already know. Two queues with one name are refused. */
export interface QueueNames {
  /**
   * Of the wait queues: `{n}` becomes the number of the tier, counted from 1, and `{delay}` its delay, such as `30s`. Without
   * `{delay}` a change of delays needs another name, since a queue cannot change its TTL. Default `<queue>.wait.{n}.{delay}`.
   */
  readonly wait?: string | undefined;
  /** Of the dead-letter queue. Default `<queue>.dead`. */
  readonly dead?: string | undefined;
}

/** One kind of job: key, queue and tiers are required, the others have defaults. */
export interface KindOptions {
  /** Public routing key, concrete (no wildcard). */
  readonly key: string;
  /**
   * All public keys of the queue, where `key` is not the only one; some may be patterns of a topic exchange (`order.*` one
   * word, `order.#` any number of words). `key` must match one of them. Default `[key]`.
   */
  readonly keys?: readonly string[];
  /** Main queue; names of exchanges derive from it, and those of wait queues and dead-letter queue by default. */
  readonly queue: string;
  /** Names of the wait queues and of the dead-letter queue, where they must be others than the default ones. */
  readonly names?: QueueNames;
  /** Waits between attempts, each above 0 and below 2^32 ms, at most ten. n tiers make n + 1 attempts. */
  readonly tiers: readonly Duration[];
  /** Default `rising`: a tier that is not longer than the one before it is refused. */
  readonly tierOrder?: 'rising' | 'any';
  /**
   * Jitter: a share of each delay, above 0 and at most 1, by which waits are lengthened, so that messages that fail together
   * come back apart: a third waits the delay, a third half of the share longer, a third the whole share longer. The header
   * `retry-spread` of a message decides, which publishers of this library set. Each tier becomes three wait queues. Default
   * none. Not with the back end `native`.
   */
  readonly jitter?: number;
  /** Ready messages before the main queue refuses more (max-length); default 10,000; at least 1. */
  readonly maxLength?: number;
  /**
   * Crashes of a worker that a job survives (delivery-limit); the next one dead-letters it. Default 5: the job dies at the
   * sixth crash. At least the number of attempts.
   */
  readonly crashLimit?: number;
  /** TTL in the main queue (x-message-ttl); above 0 and below 2^32 ms. Default none. */
  readonly messageTtl?: Duration;
  /**
   * Longest time of one attempt; default 60 s; below 30 minutes, after which the broker requeues an unsettled message.
   * `QueueWorkerOptions.deadlineMs` overrides it.
   */
  readonly deadline?: Duration;
  /**
   * Names of error classes for which a retry cannot help: an error of such a class that a handler throws is the outcome
   * reject. Default none.
   */
  readonly nonRetryable?: readonly string[];
  /**
   * Names of two to five priorities, from lowest to highest: a message is delivered before those of lower ones. Messages
   * without one have the middle level, of an even number the lower of the two in the middle. Two need RabbitMQ 4.0, which
   * delivers two high messages for each other one; from 4.3 on the order is strict, and there may be up to five. Default none.
   */
  readonly priorities?: readonly string[];
  /** Expected load; the main queue's limit must have capacity for returning messages. Default: not checked. */
  readonly load?: Load;
  /** Default `tiers`. */
  readonly backend?: Backend;
  /** Default `quorum`. `classic` needs `unsafe: ['classic']`. */
  readonly queueType?: 'quorum' | 'classic';
  /** What may be lost. Default none. */
  readonly unsafe?: readonly Unsafe[];
}
