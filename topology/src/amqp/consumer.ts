/** Consumes one queue with a bounded prefetch; every delivery can be settled only on the channel that brought it. */
import type { Channel, ChannelModel } from 'amqplib';
import { type Delivery, deliveryOf, type Holder } from './delivery.ts';
import { openSession, type Session, type SessionOptions } from './openSession.ts';

/** What to consume, how much at a time, and whom to tell. */
export interface ConsumerOptions extends Omit<SessionOptions, 'setup'> {
  readonly queue: string;
  /** Deliveries unsettled at a time; 0 is only what is pulled. Drives basic.qos. Every new channel begins with it. */
  readonly prefetchCount: number;
  readonly prepare: (model: ChannelModel) => Promise<unknown>;
  /** A new channel is open; what an earlier one brought is somebody else's by now. */
  readonly onOpen?: () => void;
  /** Must not throw; what it starts, it settles. */
  readonly onDelivery: (delivery: Delivery) => void;
  /** The channel is gone, and with it these deliveries: the broker gives their messages to somebody again. */
  readonly onLost?: (deliveries: readonly Delivery[]) => void;
  /** A delivery of the current channel was settled, or another prefetch is in force; then there is no delivery. */
  readonly onChange?: (settled?: Delivery) => void;
}

/** A consumer that comes back after a loss; what an earlier channel brought cannot be settled any more. */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #unsettled = new Set<Delivery>();
  #idle: (() => void) | undefined;
  #channel: Channel | undefined;
  #consumerTag: string | undefined;
  /** What is wanted, and what the channel has; 0 is not consuming. */
  #wantedCount: number;
  #actualCount = 0;
  #isSwitching = false;
  #isStopping = false;
  #pulled: Promise<boolean> | undefined;
  #session: Session | undefined;

  private constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#wantedCount = options.prefetchCount;
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

  /** Since when the oldest unsettled delivery is here; undefined without any. */
  get oldestReceivedAtMs(): number | undefined {
    // A set keeps the order of arrival.
    return this.#unsettled.values().next().value?.receivedAtMs;
  }

  /** True once nothing more arrives: paused, and the broker has confirmed it. */
  get isPaused(): boolean {
    return this.#actualCount === 0 && this.#consumerTag === undefined && !this.#isSwitching;
  }

  /**
   * Consumes with another prefetch from now on; 0 pauses. What was delivered stays to be settled.
   * basic.qos binds new consumers only, so the old one is cancelled first (RabbitMQ, consumer prefetch).
   */
  setPrefetch(prefetchCount: number): void {
    this.#wantedCount = prefetchCount;
    if (!this.#isSwitching) void this.#switch();
  }

  /**
   * Takes one message beside the prefetch, whatever that is; for whoever must look at one before the next is on its way.
   * @returns false where the queue is empty or the channel gone.
   */
  async pull(): Promise<boolean> {
    const pulled = this.#pullOne();
    this.#pulled = pulled;
    return await pulled;
  }

  /**
   * Takes no new work and waits for what runs; what is unsettled at the deadline goes back to the queue.
   * @param deadlineMs must be shorter than the grace that the process is stopped with.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#isStopping = true;
    const deadline = new Promise<void>((resolve) => setTimeout(resolve, deadlineMs).unref());
    await this.#cancel();
    await Promise.race([this.#pulled, deadline]);
    if (this.#unsettled.size > 0) {
      const settled = new Promise<void>((resolve) => (this.#idle = resolve));
      await Promise.race([settled, deadline]);
    }
    for (const delivery of [...this.#unsettled]) delivery.requeue();
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    // A channel that is closed forgets acks which its queue has not confirmed; after the answer to a cancel fewer are
    // open. What is forgotten is delivered again, never lost.
    await this.#cancel();
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
    this.#channel = channel;
    this.#wantedCount = this.#options.prefetchCount;
    this.#actualCount = 0;
    this.#consumerTag = undefined;
    this.#reconsume = () => this.#consume(channel, model);
    this.#options.onOpen?.();
    if (this.#wantedCount > 0) await this.#consume(channel, model);
  }

  async #pullOne(): Promise<boolean> {
    const channel = this.#channel;
    if (channel === undefined || this.#isStopping) return false;
    try {
      const message = await channel.get(this.#options.queue);
      if (message === false || this.#channel !== channel) return false;
      const delivery = deliveryOf(message, this.#holderOf(channel));
      this.#unsettled.add(delivery);
      if (this.#hasBegunToStop()) delivery.requeue();
      else this.#options.onDelivery(delivery);
      return true;
    } catch {
      // The channel is gone; its close event has begun a new one.
      return false;
    }
  }

  async #consume(channel: Channel, model: ChannelModel): Promise<void> {
    if (this.#isStopping) return;
    const wantedCount = this.#wantedCount;
    await channel.prefetch(wantedCount);
    const holder = this.#holderOf(channel);
    const { consumerTag } = await channel.consume(this.#options.queue, (message) => {
      // null: the queue was deleted. A new connection asserts the topology and consumes again.
      if (message === null) {
        this.#loseChannel(channel, model);
        return;
      }
      const delivery = deliveryOf(message, holder);
      this.#unsettled.add(delivery);
      this.#options.onDelivery(delivery);
    });
    if (this.#channel !== channel) return;
    this.#consumerTag = consumerTag;
    this.#actualCount = wantedCount;
    if (this.#hasBegunToStop()) await this.#cancel();
    // A delivery may have asked for another prefetch before the answer to the consume came in.
    else this.setPrefetch(this.#wantedCount);
  }

  /** A method, since it may have changed while the broker answered. */
  #hasBegunToStop(): boolean {
    return this.#isStopping;
  }

  /** Consumes again on the current channel. */
  #reconsume: () => Promise<void> = () => Promise.resolve();

  /** One switch at a time, to the newest wish. A channel that closes meanwhile begins anew by itself. */
  async #switch(): Promise<void> {
    this.#isSwitching = true;
    try {
      while (this.#mustSwitch()) {
        await this.#cancel();
        this.#actualCount = 0;
        if (this.#wantedCount > 0) await this.#reconsume();
      }
    } catch {
      // The channel is gone; its close event has begun a new one, with the first prefetch.
    } finally {
      this.#isSwitching = false;
    }
    this.#options.onChange?.();
  }

  #mustSwitch(): boolean {
    const isReady = this.#channel !== undefined && !this.#isStopping;
    return isReady && this.#wantedCount !== this.#actualCount;
  }

  async #cancel(): Promise<void> {
    const tag = this.#consumerTag;
    this.#consumerTag = undefined;
    if (tag !== undefined) await this.#channel?.cancel(tag).catch(() => undefined);
  }

  /** A dead channel on a live connection: end the connection, and recovery makes both anew. */
  #loseChannel(channel: Channel, model: ChannelModel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#options.onLost?.([...this.#unsettled]);
    this.#unsettled.clear();
    this.#idle?.();
    if (!this.#isStopping) model.close().catch(() => undefined);
  }

  #holderOf(channel: Channel): Holder {
    return {
      isCurrent: () => this.#channel === channel,
      settle: (delivery, message, answer) => {
        if (this.#channel !== channel || !this.#unsettled.delete(delivery)) return;
        answer(channel, message);
        if (this.#unsettled.size === 0) this.#idle?.();
        this.#options.onChange?.(delivery);
      },
    };
  }
}
