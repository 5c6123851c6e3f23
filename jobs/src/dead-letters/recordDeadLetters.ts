/** Stores what dead letters say. After it returns, the dead letters may be acknowledged. */
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

/** A dead letter and the record that it names. */
interface ComparedDeadLetter {
  readonly letter: ReceivedDeadLetter;
  /** Undefined where no job has that id. */
  readonly record: JobRecord | undefined;
  /** Why the dead letter is not one of that job; undefined where it agrees, and where no record exists. */
  readonly forgery: string | undefined;
}

/**
 * A live job becomes dead with the cause of a dead letter that agrees with its record. A job that its worker marked dead, or
 * that a copy finished, stays as it is. A dead letter without a record, one that cannot be read, and one that does not agree
 * with the record that it names are stored themselves.
 * @throws StoreUnavailable, StatementRefused; repeating is safe.
 */
export async function recordDeadLetters(
  letters: readonly ReceivedDeadLetter[],
  options: RecordDeadLettersOptions,
): Promise<void> {
  const now = new Date();
  const ids = letters.flatMap(({ jobId }) => (jobId === undefined ? [] : [jobId]));
  const records = await options.store.findAll(ids);
  const compared = letters.map((letter): ComparedDeadLetter => {
    const record = records.get(letter.jobId ?? '');
    return { letter, record, forgery: record && forgeryOf(letter, record) };
  });
  const owned = compared.filter(isOwn);
  // The worker records a fatal attempt before it acknowledges the message, so its dead letter adds nothing.
  const deaths = owned.filter(({ letter }) => letter.cause !== 'fatal');
  for (const [cause, group] of Map.groupBy(deaths, ({ letter }) => letter.death.cause)) {
    const changes = group.map(({ letter, record }) => ({
      id: record?._id ?? '',
      generation: letter.claimedMessage?.generation ?? record?.generation ?? 0,
      death: letter.death,
    }));
    const count = await options.store.change('markDead', changes, now);
    const kind = group[0]?.letter.kind.kind ?? 'unknown';
    // The store returns how many jobs changed, not which: if some were dead already, as many ends are reported as changed.
    const ends = group.slice(0, count).map(({ record }) => ({
      ...endOf(record, now),
      jobId: count === group.length ? record?._id : undefined,
    }));
    if (count > 0) options.onEvent({ type: 'deadLettered', kind, cause, count, ends });
  }
  await storeOthers(compared, options);
}

/** Stores those without a job, the forged and the malformed ones. It reports those that no job's death has reported already. */
async function storeOthers(
  compared: readonly ComparedDeadLetter[],
  options: RecordDeadLettersOptions,
): Promise<void> {
  const stored = compared.filter((one) => !isOwn(one) || one.letter.cause === 'malformed');
  const newIds = await options.deadLetters.store(stored.map(deadLetterOf), new Date());
  const reported = stored.filter((one) => newIds.delete(one.letter.id) && !isOwn(one));
  const causeOf = ({ letter, forgery }: ComparedDeadLetter) =>
    forgery === undefined ? letter.cause : ('forged' as const);
  for (const [cause, group] of Map.groupBy(reported, causeOf)) {
    const kind = group[0]?.letter.kind.kind ?? 'unknown';
    options.onEvent({ type: 'deadLetterStored', kind, cause, count: group.length });
  }
}

function deadLetterOf({ letter, forgery }: ComparedDeadLetter): DeadLetter {
  const { id, cause, reason, messageId, routingKey, body, bodyBytes, bodyHash, headers } = letter;
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

function isOwn({ record, forgery }: ComparedDeadLetter): boolean {
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
 * Any publisher can put a job's id on any message, so id, generation, payload and history must be those of the record.
 * @returns why the dead letter is not one of that job; undefined where it agrees.
 */
function forgeryOf(letter: ReceivedDeadLetter, record: JobRecord): string | undefined {
  const { claimedMessage, headerGeneration } = letter;
  if (claimedMessage === undefined || letter.cause === 'malformed')
    return isBodyOf(record, letter.body) ? undefined : 'forged: its body is not that of the job';
  if (headerGeneration !== undefined && headerGeneration !== claimedMessage.generation)
    return 'forged: header and body name different generations';
  return disagreementOf(claimedMessage, record) ?? impossibleHistoryOf(letter, record);
}

/**
 * Only rejections spend attempts, and the record or the broker counts each of them. The worker marks a job dead before the
 * last rejection, so this check concerns only dead letters whose worker died before it could.
 */
function impossibleHistoryOf(letter: ReceivedDeadLetter, record: JobRecord): string | undefined {
  const { kind, cause, rejectionCount } = letter;
  if (cause !== 'exhausted' || kind.backend !== 'tiers') return undefined;
  if (
    !LIVE_STATES.includes(record.state) ||
    letter.claimedMessage?.generation !== record.generation
  )
    return undefined;
  const possibleCount = record.attemptCount + rejectionCount;
  const neededCount = kind.tiersMs.length + 1;
  return possibleCount >= neededCount
    ? undefined
    : `forged: exhausted after ${possibleCount} attempts of ${neededCount}`;
}
