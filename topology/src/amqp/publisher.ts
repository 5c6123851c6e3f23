/** Publishes persistent, mandatory messages with publisher confirms, with a limit of unconfirmed ones. */
import type { ChannelModel, ConfirmChannel, Message } from 'amqplib';
import { URGENT_PRIORITY } from './delivery.ts';
import { openSession, type Session, type SessionOptions } from './openSession.ts';
import { outgoingHeaders } from './outgoingHeaders.ts';

/**
 * confirmed: the broker has stored the message in a queue. nacked: the queue is full and refused it. returned: no queue is
 * bound to the key. unsendable: the message cannot be encoded, for example because its id is longer than 255 bytes; nothing
 * was sent, and no repetition can succeed. unknown: the confirm was lost or late, so the message may be stored; publish it
 * again with the same id.
 */
export type PublishResult = 'confirmed' | 'nacked' | 'returned' | 'unsendable' | 'unknown';

/** A publish that ended. error: there was no connection, or it was lost before the confirm. */
export interface PublishEnd {
  /** Exchange that was published to. */
  readonly exchange: string;
  /** Routing key that was published with. */
  readonly key: string;
  /** How the publish ended. */
  readonly outcome: Exclude<PublishResult, 'unknown'> | 'timeout' | 'error';
  /** Milliseconds from sending to the confirm, or to giving up. */
  readonly durationMs: number;
}

/** A message to publish. It is sent persistent and mandatory. */
export interface OutgoingMessage {
  readonly exchange: string;
  readonly key: string;
  /** Message id: relates a returned message to its publish, and lets a consumer recognise a copy. */
  readonly id: string;
  readonly body: Buffer;
  /** Default application/json. */
  readonly contentType?: string;
  /** High priority, in the queue of a kind that declares `hasPriorities`. Default false. */
  readonly isUrgent?: boolean;
  /**
   * Names that begin with `x-`, CC and BCC would steer the broker, and are left out. A number that is not finite makes the
   * message unsendable.
   */
  readonly headers?: Readonly<Record<string, string | number>>;
}

/** Where to publish, and how many messages may be unconfirmed. */
export interface PublisherOptions extends Omit<SessionOptions, 'setup'> {
  /** Runs on each connection before its channel is opened: assert the topology here. */
  readonly prepare: (model: ChannelModel) => Promise<unknown>;
  /**
   * Messages whose basic.ack is awaited; further ones wait here. Default 1,000; at least 1. The monolith's relay sets the size
   * of two of its batches (`monolith/src/backgroundTasks.ts`).
   */
  readonly maxUnconfirmed?: number;
  /**
   * Milliseconds until a missing confirm counts as unknown; default 10,000. Infinity: only the end of the connection does,
   * which its heartbeat brings about where the broker does not answer. A caller that publishes unknown messages again needs
   * that: a broker that only stood still would store both copies.
   */
  readonly confirmTimeoutMs?: number;
  /** Is called once for each publish. Must not throw. */
  readonly onPublish?: (end: PublishEnd) => void;
}

/** A message that is not sent yet, because the limit of unconfirmed ones is reached. */
interface Waiting {
  readonly message: OutgoingMessage;
  readonly resolve: (result: PublishResult) => void;
}

/** A message that is sent, or about to be. */
interface Pending extends Waiting {
  readonly sentAtMs: number;
}

/** The untyped part of amqplib's channel that `sendOn` uses. */
interface MessageSender {
  sendMessage(fields: object, properties: object, body: Buffer): unknown;
  pushConfirmCallback(onConfirm: OnConfirm): void;
}

type OnConfirm = (error: unknown) => void;

const TIMEOUT_CHECK_MS = 500;

/** A connection that publishes messages and reports what became of each. It is opened again after a loss. */
export class Publisher {
  readonly #maxUnconfirmed: number;
  readonly #confirmTimeoutMs: number;
  readonly #onPublish: PublisherOptions['onPublish'];
  readonly #pending = new Set<Pending>();
  readonly #returnedIds = new Set<string>();
  readonly #waiting: Waiting[] = [];
  readonly #timeoutTimer: NodeJS.Timeout | undefined;
  #channel: ConfirmChannel | undefined;
  #session: Session | undefined;

  private constructor(options: PublisherOptions) {
    this.#maxUnconfirmed = options.maxUnconfirmed ?? 1_000;
    this.#confirmTimeoutMs = options.confirmTimeoutMs ?? 10_000;
    this.#onPublish = options.onPublish;
    if (this.#confirmTimeoutMs < Infinity)
      this.#timeoutTimer = setInterval(() => {
        this.#settleOverdue();
      }, TIMEOUT_CHECK_MS);
  }

  /** @throws TopologyError as `openSession` does. */
  static async open(options: PublisherOptions): Promise<Publisher> {
    const publisher = new Publisher(options);
    try {
      publisher.#session = await openSession({
        ...options,
        setup: async (model) => {
          await options.prepare(model);
          await publisher.#openChannel(model, options.onEvent);
        },
      });
    } catch (error) {
      // The timer would keep a process running whose start was refused.
      clearInterval(publisher.#timeoutTimer);
      throw error;
    }
    return publisher;
  }

  /** False while disconnected or blocked by an alarm: a publish would only end as unknown. */
  get isReady(): boolean {
    return this.#channel !== undefined && this.#session?.isBlocked !== true;
  }

  /** True while the channel is open, blocked or not. */
  get isUp(): boolean {
    return this.#channel !== undefined;
  }

  /** True while an alarm of the broker blocks publishers. */
  get isBlocked(): boolean {
    return this.#session?.isBlocked === true;
  }

  /** Messages that are sent and not confirmed yet. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Messages that are not sent yet, because the limit of unconfirmed ones is reached. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Publishes one message. It never rejects: the result says what went wrong. */
  publish(message: OutgoingMessage): Promise<PublishResult> {
    return new Promise((resolve) => {
      this.send(message, resolve);
    });
  }

  /**
   * As `publish`, for a caller that publishes many messages at once: a promise for each message would cost a tenth of the
   * publish.
   * @param onResult is called once, perhaps before `send` returns. Must not throw.
   */
  send(message: OutgoingMessage, onResult: (result: PublishResult) => void): void {
    if (this.#pending.size < this.#maxUnconfirmed) this.#send(message, onResult);
    else this.#waiting.push({ message, resolve: onResult });
  }

  /** Closes the connection; unconfirmed messages end as unknown. */
  async close(): Promise<void> {
    clearInterval(this.#timeoutTimer);
    await this.#session?.close();
    this.#settleAll();
  }

  async #openChannel(model: ChannelModel, onEvent: SessionOptions['onEvent']): Promise<void> {
    const channel = await model.createConfirmChannel();
    channel.on('error', (error: Error) => onEvent?.({ type: 'channelFailed', error }));
    // The broker sends the return of a message before its ack (RabbitMQ, publishers page).
    channel.on('return', (message: Message) => {
      this.#returnedIds.add(String(message.properties.messageId));
    });
    // This listener must run before amqplib's own, which would report every lost confirm as a nack.
    channel.prependListener('close', () => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      this.#settleAll();
      // Only the channel may be dead. Closing the connection makes the session open both again.
      model.close().catch(() => undefined);
    });
    this.#channel = channel;
  }

  #send(message: OutgoingMessage, resolve: (result: PublishResult) => void): void {
    const channel = this.#channel;
    const pending: Pending = { message, resolve, sentAtMs: performance.now() };
    if (channel === undefined) {
      this.#finish(pending, 'error');
      return;
    }
    this.#pending.add(pending);
    try {
      sendOn(channel, message, (error) => {
        const wasReturned = this.#returnedIds.size > 0 && this.#returnedIds.delete(message.id);
        this.#settle(pending, error ? 'nacked' : wasReturned ? 'returned' : 'confirmed');
      });
    } catch (error) {
      // amqplib throws before it sends anything: if the channel is closing, or if it cannot encode the message.
      const isClosing = error instanceof Error && error.name === 'IllegalOperationError';
      this.#pending.delete(pending);
      this.#finish(pending, isClosing ? 'error' : 'unsendable');
    }
  }

  /** Does nothing for a message that ended already: a confirm may come after its time. */
  #settle(pending: Pending, outcome: PublishEnd['outcome']): void {
    if (!this.#pending.delete(pending)) return;
    this.#finish(pending, outcome);
    if (this.#waiting.length > 0) this.#sendWaiting();
  }

  /** Sends messages that wait, as many as the limit allows: an unsendable one takes no place, so more than one may follow. */
  #sendWaiting(): void {
    while (this.#pending.size < this.#maxUnconfirmed) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#send(next.message, next.resolve);
    }
  }

  #finish({ message, resolve, sentAtMs }: Pending, outcome: PublishEnd['outcome']): void {
    if (this.#onPublish !== undefined) {
      const { exchange, key } = message;
      this.#onPublish({ exchange, key, outcome, durationMs: performance.now() - sentAtMs });
    }
    resolve(outcome === 'timeout' || outcome === 'error' ? 'unknown' : outcome);
  }

  #settleOverdue(): void {
    const latestMs = performance.now() - this.#confirmTimeoutMs;
    for (const pending of this.#pending) {
      if (pending.sentAtMs > latestMs) return;
      this.#settle(pending, 'timeout');
    }
  }

  #settleAll(): void {
    const waiting = this.#waiting.splice(0);
    for (const pending of [...this.#pending]) this.#settle(pending, 'error');
    // Without a channel these end at once with outcome error.
    for (const { message, resolve } of waiting) this.#send(message, resolve);
    this.#returnedIds.clear();
  }
}

const PERSISTENT = 2;

/**
 * Does what `channel.publish` of amqplib does, which makes an object for each message whose prototype is the header table:
 * that took a fifth of a publisher's processor time (measured).
 * @throws IllegalOperationError if the channel is closing; another error if the message cannot be encoded. Nothing was sent.
 */
function sendOn(channel: ConfirmChannel, message: OutgoingMessage, onConfirm: OnConfirm): void {
  const sender = channel as unknown as MessageSender;
  const fields = {
    exchange: message.exchange,
    routingKey: message.key,
    mandatory: true,
    immediate: false,
    ticket: undefined,
    contentType: message.contentType ?? 'application/json',
    headers: outgoingHeaders(message),
    deliveryMode: PERSISTENT,
    priority: message.isUrgent === true ? URGENT_PRIORITY : undefined,
    messageId: message.id,
    timestamp: Math.floor(Date.now() / 1_000),
  };
  sender.sendMessage(fields, fields, message.body);
  sender.pushConfirmCallback(onConfirm);
}
