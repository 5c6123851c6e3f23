/** The job record: the truth about a job. Its batch says whether the broker has it. */
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

/** One replay of a job. */
export interface JobReplay {
  readonly operationId: string;
  readonly at: Date;
  /** The generation that it began. */
  readonly generation: number;
}

export interface JobRecord<Payload = unknown> {
  /** `<kind>:<key>`. One job per kind and key, as long as its record is kept. `keyOf` reads the key. */
  readonly _id: string;
  readonly kind: string;
  readonly state: JobState;
  /** Raised by each replay; a message or write of an older generation is late. */
  readonly generation: number;
  /** Attempts spent in this generation; a job that is published again continues after them. */
  readonly attemptCount: number;
  /** The run that created the job, or `NO_RUN`. Later runs that requested the same job have its id in their batches. */
  readonly runId: string;
  /** The batch that publishes the job, or published it last. */
  readonly batch: string;
  readonly payload: Payload;
  /** The user who submitted the job, and who may therefore read it; absent for jobs of runs and of operators. No message has it. */
  readonly owner?: string;
  /** One of the kind's priorities; absent for the middle one. */
  readonly priority?: string;
  /** Its priority is above the default, so it passes others in the database as well; absent for all others. */
  readonly isUrgent?: true;
  readonly createdAt: Date;
  /** Time of the last change of the state by the database's clock. */
  readonly stateAt: Date;
  /**
   * The newest 20 attempts, oldest first. A first attempt that succeeds has no entry, because `doneAt`, `workerId` and
   * `attemptCount` say the same and one statement then serves a whole batch.
   */
  readonly attempts?: readonly AttemptRecord[];
  readonly death?: JobDeath;
  /** The newest 20 replays, oldest first; a run that took the job over is one. */
  readonly replays?: readonly JobReplay[];
  /** The payload before the first replay that edited it. */
  readonly originalPayload?: Payload;
  /** When the job was cancelled last; a run may have taken it over since. */
  readonly cancelledAt?: Date;
  readonly doneAt?: Date;
  /** The worker whose attempt finished the job. */
  readonly workerId?: string;
  /** Trace of the request that first requested the job, as W3C `traceparent`. A republished job keeps it. */
  readonly traceparent?: string;
  /** Other traces of the job, newest last: a run that is too large for one trace, and operations that published it again. */
  readonly tracelinks?: readonly string[];
}

export const STORED_ATTEMPTS_LIMIT = 20;
export const STORED_REPLAYS_LIMIT = 20;
export const STORED_TRACELINKS_LIMIT = 5;

/** @returns whether the job was replayed: only a replay begins a further generation, so the job had an end before. */
export function isReplayed({ generation }: { readonly generation: number }): boolean {
  return generation > 1;
}

/** @param key any text, also with colons; no kind has a colon. */
export function jobId(kind: string, key: string): string {
  return `${kind}:${key}`;
}

/** @returns the key of a job, which its owner chose. */
export function keyOf(id: string): string {
  return id.slice(id.indexOf(':') + 1);
}

/** Fields of a requested job. */
export interface NewJob<Payload = unknown> {
  /** Without a colon. */
  readonly kind: string;
  /** Identifies the job among those of its kind: a second job of the same key is not created. */
  readonly key: string;
  /** Everything that an attempt needs, as of the time when the job is recorded, because a later change elsewhere must not change a retry. */
  readonly payload: Payload;
  /** The user who submits the job; default nobody. */
  readonly owner?: string;
  /** One of the kind's priorities; default the middle one. */
  readonly priority?: string;
  readonly isUrgent?: true;
  readonly trace?: Pick<JobRecord, 'traceparent' | 'tracelinks'> | undefined;
}

/** Where a new job comes from. */
export interface JobOrigin {
  readonly runId: string;
  readonly batch: string;
  /** The database's time. */
  readonly now: Date;
}

export function newJob<Payload>(
  { kind, key, payload, owner, priority, isUrgent, trace = {} }: NewJob<Payload>,
  { runId, batch, now }: JobOrigin,
): JobRecord<Payload> {
  return {
    _id: jobId(kind, key),
    kind,
    state: 'pending',
    generation: 1,
    attemptCount: 0,
    runId,
    batch,
    payload,
    createdAt: now,
    stateAt: now,
    ...(owner === undefined ? {} : { owner }),
    ...(priority === undefined ? {} : { priority }),
    ...(isUrgent === true ? { isUrgent } : {}),
    ...trace,
  };
}
