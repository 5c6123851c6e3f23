/** A letter in the hand of the dead-letter desk, with everything that AMQP knows of it. */
import type { Channel, ConsumeMessage } from 'amqplib';
import { type Delivery, deliveryOf } from './delivery.ts';

/** What AMQP knows of a message besides its headers; absent where the publisher set none. */
export interface DeadLetterProperties {
  readonly messageId?: string;
  readonly correlationId?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly replyTo?: string;
  readonly type?: string;
  readonly appId?: string;
  readonly userId?: string;
  /** Milliseconds, as text. */
  readonly expiration?: string;
  readonly priority?: number;
  /** 2 is persistent. */
  readonly deliveryMode?: number;
  /** Seconds since 1970, by convention; a client can send any number. */
  readonly timestamp?: number;
}

/** A delivery from a dead-letter queue, with all its properties. */
export interface DeadLetterDelivery extends Delivery {
  readonly properties: DeadLetterProperties;
}

/** Where the letter came from, and who is told once it is settled. */
export interface LetterHolder {
  readonly channel: Channel;
  readonly isCurrent: () => boolean;
  readonly onSettled: () => void;
}

const PROPERTY_NAMES = [
  ...(['messageId', 'correlationId', 'contentType', 'contentEncoding', 'replyTo', 'type'] as const),
  ...(['appId', 'userId', 'expiration', 'priority', 'deliveryMode', 'timestamp'] as const),
] satisfies readonly (keyof DeadLetterProperties)[];

/** Settled at most once: a second ack would close the channel (406), and return everything in the hand. */
export function heldLetterOf(message: ConsumeMessage, holder: LetterHolder): DeadLetterDelivery {
  let isSettled = false;
  const { channel, isCurrent } = holder;
  const delivery = deliveryOf(message, {
    isCurrent,
    settle: (_, settled, answer) => {
      if (isSettled || !isCurrent()) return;
      isSettled = true;
      answer(channel, settled);
      holder.onSettled();
    },
  });
  const properties = message.properties as unknown as Record<string, unknown>;
  const letter = {
    properties: Object.fromEntries(
      PROPERTY_NAMES.flatMap((name) =>
        properties[name] === undefined ? [] : [[name, properties[name]]],
      ),
    ),
  };
  return Object.assign(delivery, letter);
}
