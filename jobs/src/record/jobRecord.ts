/** A job as the database knows it: the truth, and the outbox. */
import type { DeathCause, OutcomeType } from '@fit/topology';
import type { JobState } from './transitions.ts';

export interface AttemptError {
  /** Constructor name, such as TypeError; bounded cardinality, used as a label. */
  readonly class: string;
  readonly message: string;
  /** Equal for failures that differ only in numbers and ids. */
  readonly fingerprint: string;
}

export interface AttemptRecord {
  /** Counted from 1 within a generation. */
  readonly number: number;
  readonly generation: number;
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly outcome: OutcomeType;
  /** The wait that followed, in milliseconds; absent where none did. */
  readonly delayMs?: number;
  readonly workerId: string;
  readonly error?: AttemptError;
  /** Why it was discarded. */
  readonly reason?: string;
}

export interface Death {
  readonly cause: DeathCause;
  readonly fingerprint: string;
  readonly reason: string;
  readonly at: Date;
}

export interface JobRecord<Payload = unknown> {
  /** Natural key: `<kind>:<userId>:<date>`. One job per key, for ever. */
  readonly _id: string;
  readonly kind: string;
  readonly key: { readonly userId: string; readonly date: string };
  readonly state: JobState;
  /** Raised by each replay; what carries an older one is late, and a no-op. */
  readonly generation: number;
  /** Attempts spent in this generation: a republish resumes after them. */
  readonly attemptCount: number;
  /** Runs that asked for this job, oldest first, at most 20. */
  readonly runIds: readonly string[];
  readonly payload: Payload;
  readonly createdAt: Date;
  readonly stateAt: Date;
  /** Not to be relayed before. */
  readonly dueAt: Date;
  /** The newest 20. */
  readonly attempts: readonly AttemptRecord[];
  /** Why the relay could not hand it over yet, and how often; each time is counted at least once. */
  readonly deferred?: { readonly reason: string; readonly count: number };
  readonly death?: Death;
  readonly doneAt?: Date;
  /** Where its trace goes on, as W3C `traceparent`: the request that first asked for it. A republish keeps it. */
  readonly traceparent?: string;
  /** Other traces that belong to it, newest last: a run too large for one trace, and what published it again. */
  readonly tracelinks?: readonly string[];
}

export const ATTEMPTS_KEPT = 20;
export const RUNS_KEPT = 20;
export const TRACELINKS_KEPT = 5;

/** Only a replay begins a further generation: such a job had an end before. */
export function isReplayed({ generation }: { readonly generation: number }): boolean {
  return generation > 1;
}

export function jobId(kind: string, userId: string, date: string): string {
  return `${kind}:${userId}:${date}`;
}
