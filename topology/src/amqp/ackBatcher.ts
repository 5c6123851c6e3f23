/** Acknowledges with one frame, as far as possible, what was settled in one turn of the event loop. */
import type { Channel, Message } from 'amqplib';
import type { SettlementSender } from './channelDelivery.ts';

/** Which acks to send. Together they acknowledge each given delivery tag once, and no other. */
export interface AckPlan {
  /** Delivery tag of a `basic.ack` with `multiple`; undefined if none is worth it. */
  readonly upTo: number | undefined;
  /** Delivery tags that are acknowledged one by one. */
  readonly single: readonly number[];
}

/**
 * `multiple` acknowledges every delivery of the channel up to a tag, so it serves only below the first delivery that is not
 * settled yet.
 * @param tags of the deliveries to acknowledge, in any order; all deliveries below `firstUnsettledTag` that are not among
 * them are settled at the broker already.
 * @param firstUnsettledTag Infinity if every delivery of the channel is settled.
 */
export function planAcks(tags: readonly number[], firstUnsettledTag: number): AckPlan {
  const single = tags.filter((tag) => tag > firstUnsettledTag);
  if (single.length === tags.length) return { upTo: undefined, single };
  let upTo = 0;
  for (const tag of tags) if (tag < firstUnsettledTag && tag > upTo) upTo = tag;
  return { upTo, single };
}

/**
 * A frame for each ack took a fifth of a consumer's processor time (measured), and the queue stores the acks of one frame
 * together. Acks are held back until the end of the turn; a channel that is lost meanwhile forgets them, as it forgets an
 * ack that was sent, and the broker delivers these messages again.
 */
export class AckBatcher implements SettlementSender {
  readonly #channel: Channel;
  readonly #firstUnsettledTag: () => number;
  #messages: Message[] = [];

  /** @param firstUnsettledTag of the deliveries of this channel; Infinity without any. */
  constructor(channel: Channel, firstUnsettledTag: () => number) {
    this.#channel = channel;
    this.#firstUnsettledTag = firstUnsettledTag;
  }

  /** Acknowledges a message of this channel at the end of this turn. */
  ack(message: Message): void {
    this.#messages.push(message);
    if (this.#messages.length === 1) setImmediate(this.#flushLater);
  }

  /** Sent at once: the delivery is settled, so an ack of this turn may pass over it. */
  nack(message: Message, allUpTo?: boolean, requeue?: boolean): void {
    this.#channel.nack(message, allUpTo, requeue);
  }

  /** As `nack`. */
  reject(message: Message, requeue?: boolean): void {
    this.#channel.reject(message, requeue);
  }

  /** Sends the acks that were added. To be called before the channel is closed. */
  flush(): void {
    const messages = this.#messages;
    if (messages.length === 0) return;
    this.#messages = [];
    const { upTo, single } = planAcks(
      messages.map(({ fields }) => fields.deliveryTag),
      this.#firstUnsettledTag(),
    );
    if (upTo !== undefined) this.#send(upTo, true);
    for (const tag of single) this.#send(tag, false);
  }

  /** Forgets the acks: the channel is lost. */
  discard(): void {
    this.#messages = [];
  }

  readonly #flushLater = (): void => {
    try {
      this.flush();
    } catch {
      // amqplib throws if the channel is closing. The broker delivers the messages again.
    }
  };

  /** amqplib reads nothing but the tag of a message that it acknowledges. */
  #send(deliveryTag: number, multiple: boolean): void {
    this.#channel.ack({ fields: { deliveryTag } } as Message, multiple);
  }
}
