/** The job record: the truth about a job, and the outbox from which the relay publishes it. */
import type { DeathCause, OutcomeType } from '@fit/topology';
import type { JobState } from './transitions.ts';

export interface AttemptError {
  /** Constructor name, such as TypeError. Metrics use it as a label. */
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
  /** The wait after the attempt, in milliseconds; absent where no wait followed. */
  readonly delayMs?: number;
  readonly workerId: string;
  readonly error?: AttemptError;
  /** Why the handler discarded the job; absent for other outcomes. */
  readonly reason?: string;
}

/** Why and when a job died. */
export interface JobDeath {
  readonly cause: DeathCause;
  /** Equal for deaths that differ only in numbers and ids. */
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
  /** Raised by each replay; a message or write of an older generation is late and changes nothing. */
  readonly generation: number;
  /** Attempts spent in this generation; a job that is published again continues after them. */
  readonly attemptCount: number;
  /** The latest 20 runs that requested this job, oldest first. */
  readonly runIds: readonly string[];
  readonly payload: Payload;
  readonly createdAt: Date;
  readonly stateAt: Date;
  /** The relay does not publish the job before this time. */
  readonly dueAt: Date;
  /** The newest 20 attempts, oldest first. */
  readonly attempts: readonly AttemptRecord[];
  /** Why the relay could not publish the record yet, and how often; each time is counted at least once. */
  readonly deferred?: { readonly reason: string; readonly count: number };
  readonly death?: JobDeath;
  readonly doneAt?: Date;
  /** Trace of the request that first requested the job, as W3C `traceparent`. A republished job keeps it. */
  readonly traceparent?: string;
  /** Other traces of the job, newest last: a run that is too large for one trace, and operations that published it again. */
  readonly tracelinks?: readonly string[];
}

export const STORED_ATTEMPTS_LIMIT = 20;
export const STORED_RUNS_LIMIT = 20;
export const STORED_TRACELINKS_LIMIT = 5;

/** @returns whether the job was replayed: only a replay begins a further generation, so the job had an end before. */
export function isReplayed({ generation }: { readonly generation: number }): boolean {
  return generation > 1;
}

export function jobId(kind: string, userId: string, date: string): string {
  return `${kind}:${userId}:${date}`;
}

/** Fields of a requested job. */
export interface NewJob<Payload> {
  readonly kind: string;
  readonly userId: string;
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly runId: string;
  /** Everything that an attempt needs, as of the request, because a later change of the user must not change a retry. */
  readonly payload: Payload;
  readonly trace?: Pick<JobRecord, 'traceparent' | 'tracelinks'> | undefined;
}

export function newJob<Payload>(options: NewJob<Payload>, now: Date): JobRecord<Payload> {
  const { kind, userId, date, runId, payload, trace = {} } = options;
  return {
    _id: jobId(kind, userId, date),
    kind,
    key: { userId, date },
    state: 'pending',
    generation: 1,
    attemptCount: 0,
    runIds: [runId],
    payload,
    createdAt: now,
    stateAt: now,
    dueAt: now,
    attempts: [],
    ...trace,
  };
}
