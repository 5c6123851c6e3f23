/** Reads queue depths by passive declares, which are exact and current, while the management API lags by seconds. */
import type { Channel } from 'amqplib';
import type { BrokerConnection } from './connection.ts';
import { modelOf } from './openConnection.ts';
import { type Attachment, openSession, type Session, type SessionOptions } from './openSession.ts';

/** Messages and consumers of a queue at the moment of the response. */
export interface QueueDepth {
  /** Ready messages only: neither unacknowledged messages nor those awaiting transfer are counted. */
  readonly readyCount: number;
  /** Consumers of the queue. */
  readonly consumerCount: number;
}

/** Where to connect, and how long to wait for a response. */
export interface InspectorOptions extends SessionOptions {
  /** Connection that is shared with others; default one of its own, which is closed with the inspector. */
  readonly session?: Session | undefined;
  /** Milliseconds for the response to one queue.declare; default 10,000; above 0. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/** A connection that reads queue depths, and is opened again after a loss. */
export class Inspector {
  readonly #timeoutMs: number;
  #channel: Channel | undefined;
  /** A session of its own; undefined if it shares one. */
  #ownSession: Session | undefined;
  #attachment: Attachment | undefined;

  private constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** @throws TopologyError as `openSession` does. */
  static async open(options: InspectorOptions): Promise<Inspector> {
    const inspector = new Inspector(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    if (options.session === undefined) inspector.#ownSession = await openSession(options);
    const session = options.session ?? inspector.#ownSession;
    inspector.#attachment = session?.attach((connection) => inspector.#openChannel(connection));
    await inspector.#attachment?.opened;
    return inspector;
  }

  /** True while its channel is open. */
  get isUp(): boolean {
    return this.#channel !== undefined;
  }

  /** @throws Error if the queue is missing, the broker is away, or no response comes within `timeoutMs`. */
  async depthOf(queue: string): Promise<QueueDepth> {
    if (this.#channel === undefined) throw new Error('the broker is away');
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer about queue '${queue}' within ${this.#timeoutMs} ms`));
      }, this.#timeoutMs);
    });
    try {
      const answer = this.#channel.checkQueue(queue);
      const { messageCount, consumerCount } = await Promise.race([answer, timeout]);
      return { readyCount: messageCount, consumerCount };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes the channel, and the connection unless it is shared. */
  async close(): Promise<void> {
    this.#attachment?.detach();
    const channel = this.#channel;
    this.#channel = undefined;
    if (this.#ownSession === undefined) channel?.close().catch(() => undefined);
    await this.#ownSession?.close();
  }

  async #openChannel(connection: BrokerConnection): Promise<void> {
    const channel = await modelOf(connection).createChannel();
    channel.on('error', () => undefined);
    // A missing queue closes the channel (404).
    channel.on('close', () => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      this.#attachment?.reopen();
    });
    this.#channel = channel;
  }
}
