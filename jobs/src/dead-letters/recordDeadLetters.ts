/** Stores the content of dead letters in the database. After it returns, the dead letters may be acknowledged. */
import type { JobEnd, JobListener } from '../jobEvent.ts';
import { isReplayed, type JobRecord } from '../record/jobRecord.ts';
import { disagreementOf, isBodyOf } from '../record/messageAgreement.ts';
import { LIVE_STATES } from '../record/transitions.ts';
import type { DeadLetter, DeadLetterStore } from '../store/deadLetterStore.ts';
import type { JobStore } from '../store/jobStore.ts';
import type { ReceivedDeadLetter } from './readDeadLetter.ts';

export interface RecordDeadLettersOptions {
  readonly store: JobStore;
  readonly deadLetters: DeadLetterStore;
  readonly onEvent: JobListener;
}

/** A dead letter and the record of the job that it names. */
interface ComparedDeadLetter {
  readonly deadLetter: ReceivedDeadLetter;
  /** Undefined where no job has the id that the dead letter names. */
  readonly record: JobRecord | undefined;
  /** Why the dead letter does not belong to that job; undefined where it agrees with the record, and where no record exists. */
  readonly forgery: string | undefined;
}

/**
 * Marks a live job dead with the cause of its dead letter, where the dead letter agrees with the job's record. A job that is
 * in a final state already does not change. A dead letter that names no job, that is malformed, or that does not agree with
 * the record is stored itself.
 * @throws StoreUnavailable, StatementRefused; repeating is safe.
 */
export async function recordDeadLetters(
  deadLetters: readonly ReceivedDeadLetter[],
  options: RecordDeadLettersOptions,
): Promise<void> {
  const now = new Date();
  const ids = deadLetters.flatMap(({ jobId }) => (jobId === undefined ? [] : [jobId]));
  const records = await options.store.findAll(ids);
  const compared = deadLetters.map((deadLetter): ComparedDeadLetter => {
    const record = records.get(deadLetter.jobId ?? '');
    return { deadLetter, record, forgery: record && forgeryOf(deadLetter, record) };
  });
  // The worker records a fatal attempt before it acknowledges the message, so its dead letter adds nothing.
  const deaths = compared.filter((item) => agrees(item) && item.deadLetter.cause !== 'fatal');
  for (const [cause, group] of Map.groupBy(deaths, ({ deadLetter }) => deadLetter.death.cause)) {
    const changes = group.map(({ deadLetter, record }) => ({
      id: record?._id ?? '',
      generation: deadLetter.claimedMessage?.generation ?? record?.generation ?? 0,
      death: deadLetter.death,
    }));
    const count = await options.store.change('markDead', changes, now);
    const kind = group[0]?.deadLetter.kind.kind ?? 'unknown';
    // The store returns how many jobs changed, but not which, so where some were dead already the ends have no job id.
    const ends = group.slice(0, count).map(({ record }) => ({
      ...endOf(record, now),
      jobId: count === group.length ? record?._id : undefined,
    }));
    if (count > 0) options.onEvent({ type: 'deadLettered', kind, cause, count, ends });
  }
  await storeOthers(compared, options);
}

/**
 * Stores the dead letters that name no job, that are forged, or that are malformed. A malformed dead letter of a job is not
 * reported, because the death of its job is reported already.
 */
async function storeOthers(
  compared: readonly ComparedDeadLetter[],
  options: RecordDeadLettersOptions,
): Promise<void> {
  const stored = compared.filter((item) => !agrees(item) || item.deadLetter.cause === 'malformed');
  const newIds = await options.deadLetters.store(stored.map(storedFormOf), new Date());
  const reported = stored.filter((item) => newIds.delete(item.deadLetter.id) && !agrees(item));
  const causeOf = ({ deadLetter, forgery }: ComparedDeadLetter) =>
    forgery === undefined ? deadLetter.cause : ('forged' as const);
  for (const [cause, group] of Map.groupBy(reported, causeOf)) {
    const kind = group[0]?.deadLetter.kind.kind ?? 'unknown';
    options.onEvent({ type: 'deadLetterStored', kind, cause, count: group.length });
  }
}

function storedFormOf({ deadLetter, forgery }: ComparedDeadLetter): DeadLetter {
  const { id, cause, reason, messageId, routingKey, body, bodyBytes, bodyHash, headers } =
    deadLetter;
  return {
    id,
    cause: forgery === undefined ? cause : 'forged',
    reason: forgery === undefined ? reason : `${forgery} (it says ${cause}: ${reason})`,
    messageId,
    routingKey,
    body,
    bodyBytes,
    ...(bodyHash === undefined ? {} : { bodyHash }),
    headers,
  };
}

/** @returns whether the dead letter belongs to the job that it names. */
function agrees({ record, forgery }: ComparedDeadLetter): boolean {
  return record !== undefined && forgery === undefined;
}

function endOf(record: JobRecord | undefined, now: Date): Omit<JobEnd, 'jobId'> {
  const isKnown = record !== undefined && !isReplayed(record);
  return {
    attemptCount: record?.attemptCount ?? 0,
    endToEndMs: isKnown ? Math.max(0, now.getTime() - record.createdAt.getTime()) : undefined,
  };
}

/**
 * Compares id, generation, payload and history with the record, because any publisher can put a job's id on any message.
 * @returns why the dead letter does not belong to the job; undefined where it agrees.
 */
function forgeryOf(deadLetter: ReceivedDeadLetter, record: JobRecord): string | undefined {
  const { claimedMessage, headerGeneration } = deadLetter;
  if (claimedMessage === undefined || deadLetter.cause === 'malformed')
    return isBodyOf(record, deadLetter.body)
      ? undefined
      : 'forged: its body is not that of the job';
  if (headerGeneration !== undefined && headerGeneration !== claimedMessage.generation)
    return 'forged: header and body name different generations';
  return disagreementOf(claimedMessage, record) ?? impossibleHistoryOf(deadLetter, record);
}

/**
 * Checks whether an exhausted dead letter can have had all its attempts: the record or the broker counts each of them. The
 * worker normally marks the job dead before the last rejection, so the check applies only where the worker died before that.
 */
function impossibleHistoryOf(
  deadLetter: ReceivedDeadLetter,
  record: JobRecord,
): string | undefined {
  const { kind, cause, rejectionCount, claimedMessage } = deadLetter;
  if (cause !== 'exhausted' || kind.backend !== 'tiers') return undefined;
  if (!LIVE_STATES.includes(record.state) || claimedMessage?.generation !== record.generation)
    return undefined;
  const possibleCount = record.attemptCount + rejectionCount;
  const neededCount = kind.tiersMs.length + 1;
  return possibleCount >= neededCount
    ? undefined
    : `forged: exhausted after ${possibleCount} attempts of ${neededCount}`;
}
