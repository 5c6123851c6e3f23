/** Asks the broker for queue depths, by passive declares: exact and fresh, where metrics lag seconds behind. */
import type { Channel, ChannelModel } from 'amqplib';
import { openSession, type Session, type SessionOptions } from './openSession.ts';

/** Messages and consumers of a queue at the moment of the answer. */
export interface QueueDepth {
  /** Ready only; what a worker holds is not in it. */
  readonly readyCount: number;
  readonly consumerCount: number;
}

/** A connection that asks for depths, and comes back after a loss. */
export class Inspector {
  #channel: Channel | undefined;
  #session: Session | undefined;

  static async open(options: Omit<SessionOptions, 'setup'>): Promise<Inspector> {
    const inspector = new Inspector();
    inspector.#session = await openSession({
      ...options,
      setup: (model) => inspector.#openChannel(model),
    });
    return inspector;
  }

  get isUp(): boolean {
    return this.#channel !== undefined;
  }

  /** @throws where the queue is missing or the broker away. */
  async depthOf(queue: string): Promise<QueueDepth> {
    if (this.#channel === undefined) throw new Error('the broker is away');
    const { messageCount, consumerCount } = await this.#channel.checkQueue(queue);
    return { readyCount: messageCount, consumerCount };
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  async #openChannel(model: ChannelModel): Promise<void> {
    const channel = await model.createChannel();
    channel.on('error', () => undefined);
    // A missing queue closes the channel (404); the next question gets a new one.
    channel.on('close', () => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      if (this.#session !== undefined) model.close().catch(() => undefined);
    });
    this.#channel = channel;
  }
}
