/** Letters → records. After it returns, the store knows everything the letters said, and they may be acked. */
import type { JobEnd, JobListener } from '../event.ts';
import { disagreementOf, isBodyOf } from '../record/agreement.ts';
import { isReplayed, type JobRecord } from '../record/jobRecord.ts';
import { LIVE_STATES } from '../record/transitions.ts';
import type { DeadLetter, DeadLetterStore } from '../store/deadLetterStore.ts';
import type { JobStore } from '../store/jobStore.ts';
import type { ReadDeadLetter } from './readDeadLetter.ts';

export interface RecordDeadLettersOptions {
  readonly store: JobStore;
  readonly deadLetters: DeadLetterStore;
  readonly onEvent: JobListener;
}

/** A letter, and what its record says of it. */
interface Judged {
  readonly letter: ReadDeadLetter;
  /** Undefined where no job has that id. */
  readonly record: JobRecord | undefined;
  /** Why it is none of that job's; undefined where it agrees, and where there is no record. */
  readonly forgery: string | undefined;
}

/**
 * A live job becomes dead with the cause of a letter that agrees with its record. A job that its worker has marked dead
 * already, or that a copy has finished, stays as it is. A letter without a record, one that cannot be read, and one that
 * does not agree with the record that it names, are kept.
 * @throws StoreUnavailable, StatementRefused; repeating is safe.
 */
export async function recordDeadLetters(
  letters: readonly ReadDeadLetter[],
  options: RecordDeadLettersOptions,
): Promise<void> {
  const now = new Date();
  const ids = letters.flatMap(({ jobId }) => (jobId === undefined ? [] : [jobId]));
  const records = await options.store.findAll(ids);
  const judged = letters.map((letter): Judged => {
    const record = records.get(letter.jobId ?? '');
    return { letter, record, forgery: record && forgeryOf(letter, record) };
  });
  const owned = judged.filter(isOwn);
  // A fatal attempt is recorded by its worker, before it acknowledges the message: until then the message comes back.
  const deaths = owned.filter(({ letter }) => letter.cause !== 'fatal');
  for (const [cause, group] of Map.groupBy(deaths, ({ letter }) => letter.death.cause)) {
    const changes = group.map(({ letter, record }) => ({
      id: record?._id ?? '',
      generation: letter.claims?.generation ?? record?.generation ?? 0,
      death: letter.death,
    }));
    const count = await options.store.change('markDead', changes, now);
    const kind = group[0]?.letter.kind.kind ?? 'unknown';
    // How many changed is known, not which: where some were dead already, as many ends are told as there were.
    const ends = group.slice(0, count).map(({ record }) => ({
      ...endOf(record, now),
      jobId: count === group.length ? record?._id : undefined,
    }));
    if (count > 0) options.onEvent({ type: 'deadLettered', kind, cause, count, ends });
  }
  await keep(judged, options);
}

/** Those without a job, the forged and the malformed. Told are those that no job's death has told of already. */
async function keep(judged: readonly Judged[], options: RecordDeadLettersOptions): Promise<void> {
  const kept = judged.filter((one) => !isOwn(one) || one.letter.cause === 'malformed');
  const newIds = await options.deadLetters.keep(kept.map(storedOf), new Date());
  const told = kept.filter((one) => newIds.delete(one.letter.id) && !isOwn(one));
  const causeOf = ({ letter, forgery }: Judged) =>
    forgery === undefined ? letter.cause : ('forged' as const);
  for (const [cause, group] of Map.groupBy(told, causeOf)) {
    const kind = group[0]?.letter.kind.kind ?? 'unknown';
    options.onEvent({ type: 'deadLetterStored', kind, cause, count: group.length });
  }
}

function storedOf({ letter, forgery }: Judged): DeadLetter {
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

function isOwn({ record, forgery }: Judged): boolean {
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
 * Anyone who may publish can put a job's id on anything, so id, generation, payload and history must be those of the
 * record.
 * @returns why the letter is none of that job's; undefined where it agrees.
 */
function forgeryOf(letter: ReadDeadLetter, record: JobRecord): string | undefined {
  const { claims, headerGeneration } = letter;
  if (claims === undefined || letter.cause === 'malformed')
    return isBodyOf(record, letter.body) ? undefined : 'forged: its body is not that of the job';
  if (headerGeneration !== undefined && headerGeneration !== claims.generation)
    return 'forged: header and body name different generations';
  return disagreementOf(claims, record) ?? impossibleHistoryOf(letter, record);
}

/**
 * Attempts are used up by rejections alone, and each is counted by the record or by the broker. Its worker marks a job
 * dead before the last one, so this is asked only of letters whose worker could not say what became of them.
 */
function impossibleHistoryOf(letter: ReadDeadLetter, record: JobRecord): string | undefined {
  const { kind, cause, rejectionCount } = letter;
  if (cause !== 'exhausted' || kind.backend !== 'tiers') return undefined;
  if (!LIVE_STATES.includes(record.state) || letter.claims?.generation !== record.generation)
    return undefined;
  const possibleCount = record.attemptCount + rejectionCount;
  const neededCount = kind.tiersMs.length + 1;
  return possibleCount >= neededCount
    ? undefined
    : `forged: exhausted after ${possibleCount} attempts of ${neededCount}`;
}
