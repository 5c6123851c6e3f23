/** A message in the hand of a worker, and the things that can be done with it. */
import type { Channel, Message } from 'amqplib';
import { isUrgent } from './lane.ts';

/** One delivery of one message. Settled once; every further call is a no-op. */
export interface Delivery {
  readonly body: Buffer;
  /** As published; undefined where the publisher set none. */
  readonly messageId: string | undefined;
  readonly routingKey: string;
  readonly exchange: string;
  /** As they came, but without counts of deliveries that the broker did not write. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** Why headers and properties are missing; undefined where they could be read. */
  readonly unreadableReason: string | undefined;
  readonly isRedelivered: boolean;
  /** When it arrived here; milliseconds, this machine's clock. */
  readonly receivedAtMs: number;
  /** When it was published, by its publisher's stamp, in seconds; undefined where there is none. */
  readonly publishedAtSeconds: number | undefined;
  /** Published into the priority lane. */
  readonly isUrgent: boolean;
  /** False once its channel is gone: the broker gives the message to somebody again. */
  readonly isCurrent: boolean;
  /** The job is settled for good. A stale call is a no-op. */
  ack(): void;
  /** To the dead-letter exchange: the next tier, or the dead-letter queue. A stale call is a no-op. */
  reject(): void;
  /** A failed attempt on a queue with native retry: the broker counts it and holds it back. A stale call is a no-op. */
  delay(): void;
  /** Back to the queue, for somebody else. A stale call is a no-op. */
  requeue(): void;
  /** Drops body and headers, for whoever holds many deliveries and has read them. It can still be settled. */
  discardContent(): void;
}

/** What is told to the broker. */
export type Answer = (channel: Channel, message: Message) => void;

/** Who holds the messages of one channel, and on which terms they may be settled. */
export interface Holder {
  readonly isCurrent: () => boolean;
  /** Answers only where settling is still possible; at most once for each delivery. */
  readonly settle: (delivery: Delivery, message: Message, answer: Answer) => void;
}

export function deliveryOf(message: Message, holder: Holder): Delivery {
  return new HeldDelivery(message, holder);
}

const ACK: Answer = (channel, message) => {
  channel.ack(message);
};
const REJECT: Answer = (channel, message) => {
  channel.nack(message, false, false);
};
/** basic.reject, not basic.nack: only this counts as failed (RabbitMQ 4.3, delayed retry). */
const DELAY: Answer = (channel, message) => {
  channel.reject(message, true);
};
const GIVE_BACK: Answer = (channel, message) => {
  channel.nack(message, false, true);
};

/** Of a quorum queue: how often a message came back, and how often it was handed out (from 4.3 on). */
const COUNT_HEADERS = ['x-delivery-count', 'x-acquired-count'];

/**
 * Every line of RabbitMQ marks a delivery as redelivered whenever it writes its counts, and writes them over what a client
 * sent (measured on 3.10.8, 4.0.5, 4.3.6). On a delivery without the mark they are a client's, who could have each of his
 * messages taken for one that ends its worker.
 */
function withoutCounts(
  headers: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (!COUNT_HEADERS.some((name) => name in headers)) return headers;
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !COUNT_HEADERS.includes(name)),
  );
}

const EMPTY = Buffer.alloc(0);

/** A class, because seven closures for each message cost a tenth of a consumer's speed (`npm run bench -- topology`). */
class HeldDelivery implements Delivery {
  readonly receivedAtMs = Date.now();
  readonly #message: Message;
  readonly #holder: Holder;

  constructor(message: Message, holder: Holder) {
    this.#message = message;
    this.#holder = holder;
  }

  get body(): Buffer {
    return this.#message.content;
  }

  get messageId(): string | undefined {
    return this.#message.properties.messageId as string | undefined;
  }

  get routingKey(): string {
    return this.#message.fields.routingKey;
  }

  get exchange(): string {
    return this.#message.fields.exchange;
  }

  get headers(): Readonly<Record<string, unknown>> {
    const headers: Readonly<Record<string, unknown>> = this.#message.properties.headers ?? {};
    return this.isRedelivered ? headers : withoutCounts(headers);
  }

  get unreadableReason(): string | undefined {
    const { unreadableReason } = this.#message.properties as { unreadableReason?: string };
    return unreadableReason;
  }

  get isRedelivered(): boolean {
    return this.#message.fields.redelivered;
  }

  get publishedAtSeconds(): number | undefined {
    const timestamp: unknown = this.#message.properties.timestamp;
    return typeof timestamp === 'number' && timestamp > 0 ? timestamp : undefined;
  }

  get isUrgent(): boolean {
    return isUrgent(this.#message.properties.priority);
  }

  get isCurrent(): boolean {
    return this.#holder.isCurrent();
  }

  ack(): void {
    this.#holder.settle(this, this.#message, ACK);
  }

  reject(): void {
    this.#holder.settle(this, this.#message, REJECT);
  }

  delay(): void {
    this.#holder.settle(this, this.#message, DELAY);
  }

  requeue(): void {
    this.#holder.settle(this, this.#message, GIVE_BACK);
  }

  discardContent(): void {
    this.#message.content = EMPTY;
    this.#message.properties.headers = {};
  }
}
