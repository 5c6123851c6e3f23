/** A message in the hand of a worker, and the three things that can be done with it. */
import type { Channel, GetMessage, Message } from 'amqplib';

export interface Delivery {
  readonly body: Buffer;
  /** As published; undefined where the publisher set none. */
  readonly messageId: string | undefined;
  readonly routingKey: string;
  readonly exchange: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly isRedelivered: boolean;
  /** False once its channel is gone: the broker gives the message to somebody again. */
  readonly isCurrent: boolean;
  /** The job is settled for good. A stale call is a no-op. */
  ack(): void;
  /** To the dead-letter exchange: the next tier, or the dead-letter queue. A stale call is a no-op. */
  reject(): void;
  /** A failed attempt on a queue with native retry: the broker counts it and holds it back. A stale call is a no-op. */
  delay(): void;
  /** Back to the queue, for somebody else. A stale call is a no-op. */
  giveBack(): void;
}

/** Who holds the message, and on which terms it may be settled. */
export interface Holder {
  readonly channel: Channel;
  readonly isCurrent: () => boolean;
  /** Calls `act` only where settling is still possible; at most once. */
  readonly settle: (act: () => void) => void;
}

export function deliveryOf(message: Message | GetMessage, holder: Holder): Delivery {
  const { channel, isCurrent, settle } = holder;
  return {
    body: message.content,
    messageId: message.properties.messageId as string | undefined,
    routingKey: message.fields.routingKey,
    exchange: message.fields.exchange,
    headers: message.properties.headers ?? {},
    isRedelivered: message.fields.redelivered,
    get isCurrent() {
      return isCurrent();
    },
    ack: () => {
      settle(() => {
        channel.ack(message);
      });
    },
    reject: () => {
      settle(() => {
        channel.nack(message, false, false);
      });
    },
    delay: () => {
      settle(() => {
        // basic.reject, not basic.nack: only this counts as failed (RabbitMQ 4.3, delayed retry).
        channel.reject(message, true);
      });
    },
    giveBack: () => {
      settle(() => {
        channel.nack(message, false, true);
      });
    },
  };
}
