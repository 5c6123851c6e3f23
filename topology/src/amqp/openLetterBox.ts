/** Takes letters from a dead-letter queue one by one, in order, without consuming it. */
import { connect } from 'amqplib';
import { type Delivery, deliveryOf } from './delivery.ts';

/** A letter in the hand: ack it, or leave it. What is left goes back in order when the box is closed. */
export interface LetterBox {
  /** @returns undefined where no further letter is ready. */
  next(): Promise<Delivery | undefined>;
  close(): Promise<void>;
}

/** @throws where the broker is away or the queue is missing. */
export async function openLetterBox(url: string, queue: string): Promise<LetterBox> {
  const model = await connect(url, { timeout: 5_000, noDelay: true });
  const state = { isOpen: true };
  model.on('error', () => (state.isOpen = false));
  model.on('close', () => (state.isOpen = false));
  const channel = await model.createChannel();
  channel.on('error', () => (state.isOpen = false));
  return {
    next: async () => {
      const message = await channel.get(queue);
      if (message === false) return undefined;
      return deliveryOf(message, {
        channel,
        isCurrent: () => state.isOpen,
        settle: (act) => {
          if (state.isOpen) act();
        },
      });
    },
    close: async () => {
      // Closing the channel flushes its acks and returns, in their order, the letters that were only looked at.
      await channel.close();
      await model.close();
    },
  };
}
