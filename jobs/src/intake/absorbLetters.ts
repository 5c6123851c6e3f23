/** Letters → records. After it returns, the store knows everything the letters said, and they may be acked. */
import type { JobListener } from '../event.ts';
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
 * @throws the driver's error where the store is out; repeating is safe.
 */
export async function absorbLetters(
  letters: readonly ReadLetter[],
  options: AbsorbOptions,
): Promise<void> {
  const now = new Date();
  const named = letters.filter(({ jobId }) => jobId !== undefined);
  const known = await options.store.known(named.map(({ jobId }) => jobId ?? ''));
  const isKnown = ({ jobId }: ReadLetter) => jobId !== undefined && known.has(jobId);
  for (const [cause, group] of Map.groupBy(letters.filter(isKnown), ({ death }) => death.cause)) {
    const changes = group.map(({ jobId = '', generation, death }) => ({
      ...{ id: jobId, generation, death },
    }));
    const count = await options.store.change('bury', changes, now);
    const kind = group[0]?.kind.kind ?? 'unknown';
    if (count > 0) options.onEvent({ type: 'buried', kind, cause, count });
  }
  await options.letters.keep(
    letters
      .filter((letter) => !isKnown(letter) || letter.cause === 'malformed')
      .map(({ id, cause, reason, messageId, routingKey, body, headers }) => ({
        ...{ id, cause, reason, messageId, routingKey, body, headers },
      })),
    now,
  );
}
