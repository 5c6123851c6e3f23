/** When a queue counts as empty. Pure. */

/** `collect_statistics_interval` and `quorum_tick_interval`, both 5 s unless somebody has set them. */
export const COUNT_INTERVAL_MS = 5_000;

/**
 * A queue counts its messages at each tick, and the API learns of it at the next interval: messages that were there
 * for 8.4 s have still been counted as none (measured, 4.3.6; 7.5 s on 3.10.8). So readings prove something only two
 * intervals apart, and a fifth more for late ones.
 */
const INTERVALS_APART = 2 * 1.2;

export interface EmptyReading {
  /** Of a passive declare, both: fresh, but blind to what is unsettled or held. */
  readonly readyCount: number;
  readonly consumerCount: number;
  /** Of the statistics, both: complete, but late; undefined before the first count. */
  readonly messageCount: number | undefined;
  readonly heldCount: number;
}

export interface EmptinessProof {
  /** Of the first empty reading in an unbroken row; undefined where the last one was not empty. */
  readonly emptySinceMs: number | undefined;
  readonly isProven: boolean;
}

export interface Clock {
  /** Monotonic. */
  readonly nowMs: number;
  /** How often the broker counts. */
  readonly countIntervalMs: number;
}

export function proveEmpty(
  before: EmptinessProof | undefined,
  reading: EmptyReading,
  { nowMs, countIntervalMs }: Clock,
): EmptinessProof {
  const { readyCount, messageCount, heldCount, consumerCount } = reading;
  // Whoever consumes may hold a message that comes back.
  const isEmpty = readyCount === 0 && messageCount === 0 && heldCount === 0 && consumerCount === 0;
  if (!isEmpty) return { emptySinceMs: undefined, isProven: false };
  const emptySinceMs = before?.emptySinceMs ?? nowMs;
  return { emptySinceMs, isProven: nowMs - emptySinceMs >= INTERVALS_APART * countIntervalMs };
}
