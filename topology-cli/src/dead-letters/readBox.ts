/** Goes through a letter box once, holding a bounded number of letters. */
import type { DeadLetterDelivery } from '@fit/topology/amqp';
import { type DeadLetterReader, DeadLetterReaderLost } from '@fit/topology/amqp';

/** hold: it stays in the hand, unsettled. settled: it is acked. enough: hold it, and read no further. */
export type Reading = 'hold' | 'settled' | 'enough';

/**
 * empty: nothing was left behind the last letter. full: as many are held as may be, and there are more. enough: as
 * asked. lost: the connection ended, and all that was held is back in the queue.
 */
export interface BoxEnd {
  readonly end: 'empty' | 'full' | 'enough' | 'lost';
  /** Letters that were given to `onLetter`. */
  readonly seenCount: number;
  /** Letters behind those; undefined after a loss, when nobody can tell. */
  readonly behindCount: number | undefined;
  /** Of a loss; otherwise empty. */
  readonly reason: string;
}

/** Letters a look holds unless told otherwise; the rest of the queue stays unseen. */
export const DEFAULT_HOLD_LIMIT = 10_000;

/** @param onLetter what it throws goes to the caller; only the loss of the box is an answer. */
export async function readBox(
  box: DeadLetterReader,
  holdLimit: number,
  onLetter: (letter: DeadLetterDelivery) => Reading | Promise<Reading>,
): Promise<BoxEnd> {
  let heldCount = 0;
  let seenCount = 0;
  const ended = (end: BoxEnd['end'], behindCount: number): BoxEnd => ({
    end,
    seenCount,
    behindCount,
    reason: '',
  });
  try {
    while (heldCount < holdLimit) {
      const letter = await box.next();
      if (letter === undefined) return ended('empty', 0);
      const reading = await onLetter(letter);
      seenCount += 1;
      if (reading === 'enough') return ended('enough', await box.readyCount());
      if (reading === 'hold') heldCount += 1;
    }
    const behindCount = await box.readyCount();
    return ended(behindCount > 0 ? 'full' : 'empty', behindCount);
  } catch (error) {
    if (error instanceof DeadLetterReaderLost)
      return { end: 'lost', seenCount, behindCount: undefined, reason: error.message };
    throw error;
  }
}

/** Closes it without a word where it is lost already: its letters are back, and its acks arrive again as copies. */
export async function closeQuietly(closable: { close(): Promise<void> }): Promise<void> {
  await closable.close().catch(() => undefined);
}
