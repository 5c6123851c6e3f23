/** Looks at the letters of one kind without consuming them and without changing their order. */

import type { KindDeclaration } from '@fit/topology';
import { deadLetterQueue } from '@fit/topology';
import type { DeadLetterDelivery } from '@fit/topology/amqp';
import type { DeskBroker } from './deskBroker.ts';
import { type Letter, readLetter } from './letter.ts';
import { type BoxEnd, closeQuietly, readBox } from './readBox.ts';

/** How far to look, and whom to show the letters. */
export interface LookOptions {
  readonly broker: DeskBroker;
  readonly kind: KindDeclaration;
  /** Letters held at a time. */
  readonly holdLimit: number;
  /** Before the first letter, and again where the look begins anew: forget what was seen. */
  readonly onStart: () => void;
  /** @returns true where this was the last letter of interest. */
  readonly onLetter: (letter: Letter) => boolean;
  /**
   * Whether the body of a letter will be looked at; default true. Where it is false the body is released as the letter
   * arrives, so that a look through letters of any size needs little memory.
   */
  readonly needsBody?: (letter: Letter) => boolean;
  readonly say: (line: string) => void;
}

const NO_BODY = Buffer.alloc(0);

const TRY_LIMIT = 3;

/**
 * Every letter is taken unacknowledged, then the channel is closed: the broker puts them back in their order.
 * A lost connection begins the look anew, three times at most; the end is `lost` then, and what was seen lies before
 * the letter that breaks its reader.
 * @throws where the broker is away at the start or the queue is missing.
 */
export async function lookThrough(options: LookOptions): Promise<BoxEnd> {
  const queue = deadLetterQueue(options.kind.queue);
  const { kind, needsBody = () => true } = options;
  for (let attempt = 1; ; attempt += 1) {
    const letters = new WeakMap<DeadLetterDelivery, Letter>();
    const box = await options.broker.openBox(queue, (held) => {
      const letter = readLetter(kind, held);
      if (needsBody(letter)) return;
      letters.set(held, { ...letter, body: NO_BODY });
      held.discardContent();
    });
    options.onStart();
    try {
      const end = await readBox(box, options.holdLimit, (held) =>
        options.onLetter(letters.get(held) ?? readLetter(kind, held)) ? 'enough' : 'hold',
      );
      if (end.end !== 'lost') return end;
      options.say(lostLine(queue, end));
      if (attempt === TRY_LIMIT) return end;
    } finally {
      await closeQuietly(box);
    }
  }
}

/** What every part of the desk says where a reader breaks. */
export function lostLine(queue: string, { seenCount, reason }: BoxEnd): string {
  return `${queue}: the connection was lost at letter ${seenCount + 1}: ${reason}`;
}
