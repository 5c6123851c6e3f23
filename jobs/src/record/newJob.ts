/** A job that was just asked for. */
import { type JobRecord, jobId } from './jobRecord.ts';

export interface NewJob<Payload> {
  readonly kind: string;
  readonly userId: string;
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly runId: string;
  /** All that an attempt needs, as of now: what changes later must not change a retry. */
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
