/** Consumes one queue with a bounded prefetch; every delivery can be settled only on the channel that brought it. */
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { type Delivery, deliveryOf } from './delivery.ts';
import { openSession, type Session, type SessionOptions } from './openSession.ts';

export interface ConsumerOptions extends Omit<SessionOptions, 'setup'> {
  readonly queue: string;
  /** Deliveries unsettled at a time; at least 1. Drives basic.qos. */
  readonly prefetchCount: number;
  readonly prepare: (model: ChannelModel) => Promise<void>;
  /** Must not throw; what it starts, it settles. */
  readonly onDelivery: (delivery: Delivery) => void;
}

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #unsettled = new Set<Delivery>();
  #idle: (() => void) | undefined;
  #channel: Channel | undefined;
  #consumerTag = '';
  #isStopping = false;
  #session: Session | undefined;

  private constructor(options: ConsumerOptions) {
    this.#options = options;
  }

  /** @throws TopologyError as `openSession` does. */
  static async open(options: ConsumerOptions): Promise<Consumer> {
    const consumer = new Consumer(options);
    consumer.#session = await openSession({
      ...options,
      setup: async (model) => {
        await options.prepare(model);
        await consumer.#openChannel(model);
      },
    });
    return consumer;
  }

  get isUp(): boolean {
    return this.#channel !== undefined;
  }

  get unsettledCount(): number {
    return this.#unsettled.size;
  }

  /**
   * Takes no new work and waits for what runs; what is unsettled at the deadline goes back to the queue.
   * @param deadlineMs must be shorter than the grace that the process is stopped with.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#isStopping = true;
    await this.#channel?.cancel(this.#consumerTag).catch(() => undefined);
    if (this.#unsettled.size > 0) {
      const settled = new Promise<void>((resolve) => (this.#idle = resolve));
      const deadline = new Promise<void>((resolve) => setTimeout(resolve, deadlineMs).unref());
      await Promise.race([settled, deadline]);
    }
    for (const delivery of [...this.#unsettled]) delivery.giveBack();
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    // Closing the channel first flushes the acks that are still in its buffer.
    await this.#channel?.close().catch(() => undefined);
    await this.#session?.close();
  }

  async #openChannel(model: ChannelModel): Promise<void> {
    const channel = await model.createChannel();
    channel.on('error', (error: Error) =>
      this.#options.onEvent?.({ type: 'channelFailed', error }),
    );
    channel.on('close', () => {
      this.#loseChannel(channel, model);
    });
    await channel.prefetch(this.#options.prefetchCount);
    this.#channel = channel;
    if (this.#isStopping) return;
    const { consumerTag } = await channel.consume(this.#options.queue, (message) => {
      // null: the queue was deleted. A new connection asserts the topology and consumes again.
      if (message === null) this.#loseChannel(channel, model);
      else this.#deliver(channel, message);
    });
    this.#consumerTag = consumerTag;
  }

  /** A dead channel on a live connection: end the connection, and recovery makes both anew. */
  #loseChannel(channel: Channel, model: ChannelModel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#unsettled.clear();
    this.#idle?.();
    if (!this.#isStopping) model.close().catch(() => undefined);
  }

  #deliver(channel: Channel, message: ConsumeMessage): void {
    const settle = (act: () => void) => {
      if (this.#channel !== channel || !this.#unsettled.delete(delivery)) return;
      act();
      if (this.#unsettled.size === 0) this.#idle?.();
    };
    const isCurrent = () => this.#channel === channel;
    const delivery = deliveryOf(message, { channel, isCurrent, settle });
    this.#unsettled.add(delivery);
    this.#options.onDelivery(delivery);
  }
}
