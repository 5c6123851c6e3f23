/** Makes the job that somebody requested, or says why it is refused. Pure. */
import { DEFAULT_PRIORITY, type KindDeclaration, priorityNumber } from '@fit/topology';
import { encodeJob, MESSAGE_BOUNDS, MESSAGE_LIMIT_BYTES, messageOf } from '../record/jobMessage.ts';
import { jobId, type NewJob, newJob } from '../record/jobRecord.ts';
import { jsonFault } from '../record/jsonBounds.ts';
import { NO_RUN } from '../record/run.ts';
import { type JobRefusal, JobRefused } from './jobRefused.ts';

export interface RequestedJob extends Pick<NewJob, 'key' | 'owner' | 'trace'> {
  /** As JSON has it, and checked by the schema of its kind. */
  readonly payload: unknown;
  /** Any text; default the middle priority of the kind. */
  readonly priority?: string | undefined;
}

/** The broker's protocol has this limit for ids of messages, in bytes; the record's limit is in characters. */
const ID_LIMIT = 200;

/** @throws JobRefused `PRIORITY_UNKNOWN`, `KEY_INVALID`, `PAYLOAD_TOO_LARGE` */
export function requestedJob(
  { kind, priorities }: Pick<KindDeclaration, 'kind' | 'priorities'>,
  { key, payload, priority, owner, trace }: RequestedJob,
): NewJob {
  const refuse = (code: JobRefusal, field: string, message: string) =>
    new JobRefused(code, message, { kind, key, field });
  const level = priority === undefined ? undefined : priorityNumber(priorities, priority);
  if (priority !== undefined && level === undefined)
    throw refuse(
      'PRIORITY_UNKNOWN',
      'priority',
      `'${priority}' is none of the priorities of the kind '${kind}': ${priorities.join(', ') || 'none'}`,
    );
  // Database and broker write half a surrogate pair as the same character, so different keys would become one.
  if (key === '' || Buffer.byteLength(jobId(kind, key)) > ID_LIMIT || !key.isWellFormed())
    throw refuse(
      'KEY_INVALID',
      'key',
      `kind and key must have at most ${ID_LIMIT - 1} bytes, and the key at least one and no half of a surrogate pair`,
    );
  const job: NewJob = {
    kind,
    key,
    payload,
    ...(owner === undefined ? {} : { owner }),
    ...(trace === undefined ? {} : { trace }),
    ...(priority === undefined || level === DEFAULT_PRIORITY ? {} : { priority }),
    ...(level !== undefined && level > DEFAULT_PRIORITY ? { isUrgent: true as const } : {}),
  };
  const fault = sizeFault(job);
  if (fault !== undefined) throw refuse('PAYLOAD_TOO_LARGE', 'payload', fault);
  return job;
}

/** @returns why a worker would refuse the message of the job. It checks the whole message, whose other fields count as well. */
function sizeFault(job: NewJob): string | undefined {
  const record = newJob(job, { runId: NO_RUN, batch: '', now: new Date() });
  const boundsFault = jsonFault(messageOf(record), MESSAGE_BOUNDS);
  if (boundsFault !== undefined) return `the message of the job ${boundsFault}`;
  const { byteLength } = encodeJob(record);
  return byteLength > MESSAGE_LIMIT_BYTES
    ? `the job takes ${byteLength} bytes, and a message at most ${MESSAGE_LIMIT_BYTES}`
    : undefined;
}
