/** Takes letters from a dead-letter queue one by one, in order, without consuming it. */
import type { GetMessage } from 'amqplib';
import { connect } from 'amqplib';
import type { Delivery } from './consumer.ts';

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
  const settle = (act: () => void) => () => {
    if (state.isOpen) act();
  };
  const toDelivery = (message: GetMessage): Delivery => ({
    body: message.content,
    messageId: message.properties.messageId as string | undefined,
    routingKey: message.fields.routingKey,
    exchange: message.fields.exchange,
    headers: message.properties.headers ?? {},
    isRedelivered: message.fields.redelivered,
    get isCurrent() {
      return state.isOpen;
    },
    ack: settle(() => {
      channel.ack(message);
    }),
    reject: settle(() => {
      channel.nack(message, false, false);
    }),
    giveBack: settle(() => {
      channel.nack(message, false, true);
    }),
  });
  return {
    next: async () => {
      const message = await channel.get(queue);
      return message === false ? undefined : toDelivery(message);
    },
    close: async () => {
      // Closing the channel flushes its acks and returns, in their order, the letters that were only looked at.
      await channel.close();
      await model.close();
    },
  };
}
