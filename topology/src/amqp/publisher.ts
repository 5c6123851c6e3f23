/** Publishes persistent, mandatory, confirmed messages, bounded in flight. */
import type { ChannelModel, ConfirmChannel, Message } from 'amqplib';
import { URGENT_PRIORITY } from './lane.ts';
import { openSession, type Session, type SessionOptions } from './openSession.ts';

/**
 * confirmed: the broker has it on disk, in a queue. nacked: the queue is full, it was refused. returned: no queue is
 * bound to the key. unknown: the confirm was lost or late; it may have arrived, so resend it under the same id.
 */
export type PublishResult = 'confirmed' | 'nacked' | 'returned' | 'unknown';

/** A publish that is over. error: there was no connection, or it was lost before the answer. */
export interface PublishEnd {
  readonly exchange: string;
  readonly key: string;
  readonly outcome: Exclude<PublishResult, 'unknown'> | 'timeout' | 'error';
  /** From sending to the answer, or to giving up. */
  readonly durationMs: number;
}

/** A message to be published: persistent, mandatory. */
export interface OutgoingMessage {
  readonly exchange: string;
  readonly key: string;
  /** Ties a returned message to its publish, and lets a reader tell a copy. */
  readonly id: string;
  readonly body: Buffer;
  readonly contentType?: string;
  /** Overtakes in the queue of a kind that declares `hasPriorities`. Default false. */
  readonly isUrgent?: boolean;
  /** Own headers only; a name with `x-`, CC and BCC would steer the broker and are dropped. */
  readonly headers?: Readonly<Record<string, string | number>>;
}

/** Where to publish, and how much may be under way. */
export interface PublisherOptions extends Omit<SessionOptions, 'setup'> {
  /** Runs before the channel is opened, on each connection: assert the topology here. */
  readonly prepare: (model: ChannelModel) => Promise<unknown>;
  /** Publishes without a confirm yet; default 1,000. Further ones wait. */
  readonly maxUnconfirmed?: number;
  /** After this a missing confirm counts as unknown; default 10,000 ms. */
  readonly confirmTimeoutMs?: number;
  /** Told of each publish, once. */
  readonly onPublish?: (end: PublishEnd) => void;
}

interface Publish {
  readonly message: OutgoingMessage;
  readonly resolve: (result: PublishResult) => void;
  readonly sentAtMs: number;
}

interface Pending {
  readonly deadlineMs: number;
  readonly settle: (outcome: PublishEnd['outcome']) => void;
}

const SWEEP_MS = 500;

/** A connection that publishes, and tells of each message what became of it. */
export class Publisher {
  readonly #windowCount: number;
  readonly #confirmTimeoutMs: number;
  readonly #onPublish: PublisherOptions['onPublish'];
  readonly #pending = new Set<Pending>();
  readonly #returnedIds = new Set<string>();
  readonly #waiting: (() => void)[] = [];
  readonly #sweeper: NodeJS.Timeout;
  #channel: ConfirmChannel | undefined;
  #session: Session | undefined;

  private constructor(options: PublisherOptions) {
    this.#windowCount = options.maxUnconfirmed ?? 1_000;
    this.#confirmTimeoutMs = options.confirmTimeoutMs ?? 10_000;
    this.#onPublish = options.onPublish;
    this.#sweeper = setInterval(() => {
      this.#settleOverdue();
    }, SWEEP_MS);
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
      // Its timer alone would keep a process alive that is refused at its start.
      clearInterval(publisher.#sweeper);
      throw error;
    }
    return publisher;
  }

  /** False while disconnected or blocked by an alarm: a relay had better wait than collect unknowns. */
  get isReady(): boolean {
    return this.#channel !== undefined && this.#session?.isBlocked !== true;
  }

  /** True while its channel is open, blocked or not. */
  get isUp(): boolean {
    return this.#channel !== undefined;
  }

  /** True while an alarm of the broker keeps it from taking anything. */
  get isBlocked(): boolean {
    return this.#session?.isBlocked === true;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Never rejects; what went wrong is in the result. */
  publish(message: OutgoingMessage): Promise<PublishResult> {
    return new Promise((resolve) => {
      if (this.#pending.size < this.#windowCount) this.#send(message, resolve);
      else
        this.#waiting.push(() => {
          this.#send(message, resolve);
        });
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#session?.close();
    this.#settleAll();
  }

  async #openChannel(model: ChannelModel, onEvent: SessionOptions['onEvent']): Promise<void> {
    const channel = await model.createConfirmChannel();
    channel.on('error', (error: Error) => onEvent?.({ type: 'channelFailed', error }));
    // The return comes before the ack of the same message (RabbitMQ, publishers page).
    channel.on('return', (message: Message) => {
      this.#returnedIds.add(String(message.properties.messageId));
    });
    // First of the listeners: amqplib's own would report every lost confirm as if it were a nack.
    channel.prependListener('close', () => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      this.#settleAll();
      // A dead channel on a live connection: end the connection, and recovery makes both anew.
      model.close().catch(() => undefined);
    });
    this.#channel = channel;
  }

  #send(message: OutgoingMessage, resolve: (result: PublishResult) => void): void {
    const channel = this.#channel;
    const publish = { message, resolve, sentAtMs: performance.now() };
    if (channel === undefined) {
      this.#end(publish, 'error');
      return;
    }
    const pending: Pending = {
      deadlineMs: publish.sentAtMs + this.#confirmTimeoutMs,
      settle: (outcome) => {
        if (!this.#pending.delete(pending)) return;
        this.#end(publish, outcome);
        this.#waiting.shift()?.();
      },
    };
    this.#pending.add(pending);
    try {
      channel.publish(message.exchange, message.key, message.body, properties(message), (error) => {
        const wasReturned = this.#returnedIds.delete(message.id);
        pending.settle(error ? 'nacked' : wasReturned ? 'returned' : 'confirmed');
      });
    } catch {
      // amqplib throws on a channel that is closing; nothing was sent. Those who wait learn it when it is closed.
      this.#pending.delete(pending);
      this.#end(publish, 'error');
    }
  }

  #end({ message, resolve, sentAtMs }: Publish, outcome: PublishEnd['outcome']): void {
    const { exchange, key } = message;
    const durationMs = performance.now() - sentAtMs;
    this.#onPublish?.({ exchange, key, outcome, durationMs });
    resolve(outcome === 'timeout' || outcome === 'error' ? 'unknown' : outcome);
  }

  #settleOverdue(): void {
    const nowMs = performance.now();
    for (const pending of this.#pending) {
      if (pending.deadlineMs > nowMs) return;
      pending.settle('timeout');
    }
  }

  #settleAll(): void {
    const waiting = this.#waiting.splice(0);
    for (const pending of [...this.#pending]) pending.settle('error');
    // Without a channel each learns at once that it was not sent.
    for (const send of waiting) send();
    this.#returnedIds.clear();
  }
}

function properties(message: OutgoingMessage): object {
  return {
    persistent: true,
    mandatory: true,
    messageId: message.id,
    timestamp: Math.floor(Date.now() / 1_000),
    contentType: message.contentType ?? 'application/json',
    headers: message.headers === undefined ? {} : ownHeaders(message.headers),
    ...(message.isUrgent === true ? { priority: URGENT_PRIORITY } : {}),
  };
}

function ownHeaders(headers: Readonly<Record<string, string | number>>): object {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^(x-|cc$|bcc$)/i.test(name)),
  );
}
