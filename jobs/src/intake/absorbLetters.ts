/** Letters → records. After it returns, the store knows everything the letters said, and they may be acked. */
import type { JobEnd, JobListener } from '../event.ts';
import { encodeJob } from '../record/jobMessage.ts';
import { isReplayed, type JobRecord } from '../record/jobRecord.ts';
import type { JobStore } from '../store/jobStore.ts';
import type { LetterStore } from '../store/letterStore.ts';
import type { ReadLetter } from './readLetter.ts';

export interface AbsorbOptions {
  readonly store: JobStore;
  readonly letters: LetterStore;
  readonly onEvent: JobListener;
}

/**
 * A live job of that generation becomes dead with the letter's cause. A job that its worker has buried already, or that
 * a copy has finished, stays as it is. A letter without a record, or one that cannot be read, is kept whole.
 * @throws StoreUnavailable, StatementRefused; repeating is safe.
 */
export async function absorbLetters(
  letters: readonly ReadLetter[],
  options: AbsorbOptions,
): Promise<void> {
  const now = new Date();
  const ids = letters.flatMap(({ jobId }) => (jobId === undefined ? [] : [jobId]));
  const records = await options.store.findAll(ids);
  const owned = letters.filter((letter) => isOwn(letter, records));
  for (const [cause, group] of Map.groupBy(owned, ({ death }) => death.cause)) {
    const changes = group.map(({ jobId = '', generation, death }) => ({
      ...{ id: jobId, generation, death },
    }));
    const count = await options.store.change('bury', changes, now);
    const kind = group[0]?.kind.kind ?? 'unknown';
    // How many changed is known, not which: where some were dead already, as many ends are told as there were.
    const ends = group.slice(0, count).map(({ jobId = '' }) => ({
      ...endOf(records.get(jobId), now),
      jobId: count === group.length ? jobId : undefined,
    }));
    if (count > 0) options.onEvent({ type: 'buried', kind, cause, count, ends });
  }
  await keep(letters, new Set(owned), options);
}

/** Whole: those without a job, and the malformed. Told are those that no job's death has told of already. */
async function keep(
  letters: readonly ReadLetter[],
  owned: ReadonlySet<ReadLetter>,
  options: AbsorbOptions,
): Promise<void> {
  const kept = letters.filter((letter) => !owned.has(letter) || letter.cause === 'malformed');
  const newIds = await options.letters.keep(
    kept.map(({ id, cause, reason, messageId, routingKey, body, headers }) => ({
      ...{ id, cause, reason, messageId, routingKey, body, headers },
    })),
    new Date(),
  );
  const told = kept.filter((letter) => newIds.delete(letter.id) && !owned.has(letter));
  for (const [cause, group] of Map.groupBy(told, (letter) => letter.cause)) {
    const kind = group[0]?.kind.kind ?? 'unknown';
    options.onEvent({ type: 'letterKept', kind, cause, count: group.length });
  }
}

function endOf(record: JobRecord | undefined, now: Date): Omit<JobEnd, 'jobId'> {
  const isKnown = record !== undefined && !isReplayed(record);
  return {
    attemptCount: record?.attemptCount ?? 0,
    endToEndMs: isKnown ? Math.max(0, now.getTime() - record.createdAt.getTime()) : undefined,
  };
}

/**
 * Anyone who may publish can put a job's id on nonsense. What cannot be read therefore buries a job only if it is, byte
 * for byte, what the relay makes of that job's record; otherwise it is kept as a letter and the job goes on.
 */
function isOwn(letter: ReadLetter, records: ReadonlyMap<string, JobRecord>): boolean {
  const record = records.get(letter.jobId ?? '');
  if (record === undefined) return false;
  return letter.cause !== 'malformed' || encodeJob(record).equals(letter.body);
}
