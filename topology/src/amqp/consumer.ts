/** Consumes one queue with a bounded prefetch. A delivery can be settled only on the channel that brought it. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Channel, Message } from 'amqplib';
import { fault, TopologyError } from '../errors.ts';
import { AckBatcher } from './ackBatcher.ts';
import { type ChannelDelivery, type DeliveryChannel, deliveryOf } from './channelDelivery.ts';
import { type BrokerConnection, CONNECTION_LIMITS } from './connection.ts';
import type { Delivery } from './delivery.ts';
import { modelOf } from './openConnection.ts';
import { type Attachment, openSession, type Session, type SessionOptions } from './openSession.ts';

const ACCESS_REFUSED = 403;

/** @param refusal what the broker answered. @returns `BROKER_REFUSED`: its user may not read the queue. */
export function readRefused(queue: string, refusal: Error): TopologyError {
  const faults = [fault('READ_REFUSED', queue, `grant its user read: ${refusal.message}`)];
  return new TopologyError('BROKER_REFUSED', faults, { cause: refusal });
}

/** What to consume, how many messages at a time, and what to call. */
export interface ConsumerOptions extends Pick<SessionOptions, 'url' | 'label' | 'onEvent'> {
  /** Connection that is shared with others; default one of its own, which is closed with the consumer. */
  readonly session?: Session | undefined;
  /** Queue to consume. */
  readonly queue: string;
  /**
   * Unsettled deliveries at a time (basic.qos); at most 65,535; 0 delivers only what is pulled. Each new channel begins with
   * it. `QueueWorker` sets 0 and regulates it by `setPrefetch`.
   */
  readonly prefetchCount: number;
  /**
   * Runs on each connection before its channel is opened: assert the topology here.
   * @param isReopened true where only the channel was lost, perhaps because its queue was deleted.
   */
  readonly prepare: (connection: BrokerConnection, isReopened: boolean) => Promise<unknown>;
  /** A new channel is open. Deliveries of an earlier channel are delivered again, perhaps elsewhere. */
  readonly onOpen?: () => void;
  /** Handles a delivery: settles it sooner or later. Must not throw. */
  readonly onDelivery: (delivery: Delivery) => void;
  /** The channel is lost with these unsettled deliveries; the broker delivers their messages again. */
  readonly onLost?: (deliveries: readonly Delivery[]) => void;
  /** A delivery of the current channel was settled, or, without an argument, another prefetch is in force. */
  readonly onChange?: (settled?: Delivery) => void;
}

/** A consumer that is opened again after a loss. Deliveries of a lost channel can no longer be settled. */
export class Consumer {
  readonly #options: ConsumerOptions;
  /** In the order of their delivery tags. */
  #unsettled = new Set<ChannelDelivery>();
  #lastDeliveryTag = 0;
  #acks: AckBatcher | undefined;
  #onIdle: (() => void) | undefined;
  #channel: Channel | undefined;
  #consumerTag: string | undefined;
  /** Prefetch that was asked for, and the one that the channel has; 0 is not consuming. */
  #wantedCount: number;
  #actualCount = 0;
  #isChangingPrefetch = false;
  #isStopping = false;
  #pulled: Promise<boolean> | undefined;
  /** Ends the wait for the answer to a pull whose channel is lost, since amqplib may not settle it. */
  #onLostChannel: (() => void) | undefined;
  #refusal: Error | undefined;
  /** A session of its own; undefined if it shares one. */
  #ownSession: Session | undefined;
  #attachment: Attachment | undefined;

  private constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#wantedCount = options.prefetchCount;
  }

  /** @throws TopologyError as `openSession` does, and `BROKER_REFUSED` if the first consume is refused. */
  static async open(options: ConsumerOptions): Promise<Consumer> {
    const consumer = new Consumer(options);
    if (options.session === undefined) consumer.#ownSession = await openSession(options);
    const session = options.session ?? consumer.#ownSession;
    try {
      consumer.#attachment = session?.attach(async (connection, isReopened) => {
        // Only an operator can grant the right, so there is no hurry.
        if (consumer.#refusal !== undefined)
          await pause(CONNECTION_LIMITS.longestReconnectDelayMs, undefined, { ref: false });
        await options.prepare(connection, isReopened);
        await consumer.#openChannel(connection);
      });
      await consumer.#attachment?.opened;
    } catch (error) {
      await consumer.#ownSession?.close();
      throw error;
    }
    return consumer;
  }

  /** True while the channel is open. */
  get isUp(): boolean {
    return this.#channel !== undefined;
  }

  /**
   * Why the broker does not let this user read the queue (403); undefined once it does. The channel is opened again with the
   * longest delay between two connects, since an operator may grant the right.
   */
  get refusal(): Error | undefined {
    return this.#refusal;
  }

  /** Resolves when the latest pull was answered or its channel is lost. */
  async pulled(): Promise<void> {
    const lost = new Promise<void>((resolve) => (this.#onLostChannel = resolve));
    if (this.isUp) await Promise.race([this.#pulled, lost]);
  }

  /** Deliveries of the current channel that are not settled. */
  get unsettledCount(): number {
    return this.#unsettled.size;
  }

  /** Message ids of the deliveries of the current channel that are not settled; those without an id are left out. */
  get unsettledIds(): string[] {
    const ids: string[] = [];
    for (const { messageId } of this.#unsettled) if (messageId !== undefined) ids.push(messageId);
    return ids;
  }

  /** Milliseconds since 1970 at which the oldest unsettled delivery arrived; undefined without any. */
  get oldestReceivedAtMs(): number | undefined {
    // A set keeps the order of arrival.
    return this.#unsettled.values().next().value?.receivedAtMs;
  }

  /** True once the broker has confirmed that this consumer is cancelled, so that nothing more arrives. */
  get isPaused(): boolean {
    return this.#actualCount === 0 && this.#consumerTag === undefined && !this.#isChangingPrefetch;
  }

  /**
   * Consumes with another prefetch from now on; 0 pauses. Earlier deliveries remain to be settled. basic.qos applies to new
   * consumers only, so the old consumer is cancelled first (RabbitMQ, consumer prefetch).
   */
  setPrefetch(prefetchCount: number): void {
    this.#wantedCount = prefetchCount;
    if (!this.#isChangingPrefetch) void this.#changePrefetch();
  }

  /**
   * Gets one message by basic.get, for a caller that must examine it before the next one is delivered.
   * @returns false if the queue is empty or the channel is lost.
   */
  async pull(): Promise<boolean> {
    const pulled = this.#pullOne();
    this.#pulled = pulled;
    return await pulled;
  }

  /**
   * Stops consuming and waits until all deliveries are settled; those that are not at the deadline are requeued.
   * @param deadlineMs is at most 2³¹ - 1, or Infinity; it must be shorter than the time that the process has for its stop.
   * @param onCancelled is called once nothing more arrives: what is requeued now is not delivered here again.
   * @returns how many were requeued at the deadline.
   */
  async drain(deadlineMs: number, onCancelled?: () => void): Promise<number> {
    this.#isStopping = true;
    const deadline = new Promise<void>((resolve) => {
      // A timer of Node with Infinity fires at once.
      if (deadlineMs < Infinity) setTimeout(resolve, deadlineMs).unref();
    });
    // A broker that does not answer must not delay the stop of the process.
    await Promise.race([this.#cancel(), deadline]);
    await Promise.race([this.#pulled, deadline]);
    onCancelled?.();
    if (this.#unsettled.size > 0) {
      const settled = new Promise<void>((resolve) => (this.#onIdle = resolve));
      await Promise.race([settled, deadline]);
    }
    const unsettled = [...this.#unsettled];
    for (const delivery of unsettled) delivery.requeue();
    if (this.isUp) this.#acks?.flush();
    return unsettled.length;
  }

  /** Closes the connection; unsettled deliveries are requeued by the broker. */
  async close(): Promise<void> {
    this.#isStopping = true;
    // A channel that is closed forgets acks that its queue has not confirmed; after the response to a cancel fewer are
    // unconfirmed. A message whose ack is forgotten is delivered again, never lost.
    const deadline = new Promise<void>((resolve) =>
      setTimeout(resolve, CONNECTION_LIMITS.closeTimeoutMs).unref(),
    );
    await Promise.race([this.#cancel(), deadline]);
    if (this.isUp) this.#acks?.flush();
    await Promise.race([this.#channel?.close().catch(() => undefined), deadline]);
    this.#attachment?.detach();
    await this.#ownSession?.close();
  }

  async #openChannel(connection: BrokerConnection): Promise<void> {
    const channel = await modelOf(connection).createChannel();
    channel.on('error', (error: Error) => {
      if ((error as { readonly code?: unknown }).code === ACCESS_REFUSED) this.#refusal = error;
      this.#options.onEvent?.({ type: 'channelFailed', error });
    });
    channel.on('close', () => {
      this.#loseChannel(channel);
    });
    this.#channel = channel;
    this.#wantedCount = this.#options.prefetchCount;
    this.#actualCount = 0;
    this.#consumerTag = undefined;
    this.#lastDeliveryTag = 0;
    const acks = new AckBatcher(channel, () => this.#firstUnsettledTag);
    this.#acks = acks;
    const deliveryChannel = this.#deliveryChannelOf(channel, acks);
    this.#reconsume = () => this.#consume(channel, deliveryChannel);
    this.#pullOne = () => this.#get(channel, deliveryChannel);
    this.#options.onOpen?.();
    if (this.#wantedCount === 0) return;
    try {
      await this.#reconsume();
    } catch (error) {
      throw this.#refusal === undefined ? error : readRefused(this.#options.queue, this.#refusal);
    }
  }

  async #get(channel: Channel, deliveryChannel: DeliveryChannel): Promise<boolean> {
    if (this.#channel !== channel || this.#isStopping) return false;
    try {
      const message = await channel.get(this.#options.queue);
      this.#refusal = undefined;
      if (message === false || this.#channel !== channel) return false;
      const delivery = this.#receive(message, deliveryChannel);
      if (this.#hasBegunToStop()) delivery.requeue();
      else this.#options.onDelivery(delivery);
      return true;
    } catch {
      // The channel is lost; the session opens another.
      return false;
    }
  }

  async #consume(channel: Channel, deliveryChannel: DeliveryChannel): Promise<void> {
    if (this.#isStopping) return;
    const wantedCount = this.#wantedCount;
    await channel.prefetch(wantedCount);
    const { consumerTag } = await channel.consume(this.#options.queue, (message) => {
      // null: the queue was deleted. A new channel asserts the topology, and the queue with it.
      if (message === null) {
        this.#loseChannel(channel);
        channel.close().catch(() => undefined);
        return;
      }
      this.#options.onDelivery(this.#receive(message, deliveryChannel));
    });
    if (this.#channel !== channel) return;
    this.#refusal = undefined;
    this.#consumerTag = consumerTag;
    this.#actualCount = wantedCount;
    if (this.#hasBegunToStop()) await this.#cancel();
    // A delivery may have led to another prefetch before the response to the consume arrived.
    else this.setPrefetch(this.#wantedCount);
  }

  /** A method, because the value may change during an await, which the compiler does not assume of a property. */
  #hasBegunToStop(): boolean {
    return this.#isStopping;
  }

  /** Gets one message on the current channel. */
  #pullOne: () => Promise<boolean> = () => Promise.resolve(false);

  /** Consumes again on the current channel. */
  #reconsume: () => Promise<void> = () => Promise.resolve();

  /** Changes the prefetch, one change at a time, until it is the latest that was asked for. */
  async #changePrefetch(): Promise<void> {
    this.#isChangingPrefetch = true;
    try {
      while (this.#mustChangePrefetch()) {
        await this.#cancel();
        this.#actualCount = 0;
        if (this.#wantedCount > 0) await this.#reconsume();
      }
    } catch {
      // The channel is lost; the session opens another, which begins with the first prefetch.
    } finally {
      this.#isChangingPrefetch = false;
    }
    this.#options.onChange?.();
  }

  #mustChangePrefetch(): boolean {
    const isReady = this.#channel !== undefined && !this.#isStopping;
    return isReady && this.#wantedCount !== this.#actualCount;
  }

  async #cancel(): Promise<void> {
    const tag = this.#consumerTag;
    this.#consumerTag = undefined;
    if (tag !== undefined) await this.#channel?.cancel(tag).catch(() => undefined);
  }

  /** Only the channel may be dead; then it is opened again on the same connection. */
  #loseChannel(channel: Channel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#acks?.discard();
    this.#options.onLost?.([...this.#unsettled]);
    this.#unsettled.clear();
    this.#onIdle?.();
    this.#onLostChannel?.();
    if (!this.#isStopping) this.#attachment?.reopen();
  }

  #receive(message: Message, channel: DeliveryChannel): ChannelDelivery {
    const delivery = deliveryOf(message, channel);
    const isInOrder = delivery.deliveryTag > this.#lastDeliveryTag;
    this.#unsettled.add(delivery);
    if (isInOrder) this.#lastDeliveryTag = delivery.deliveryTag;
    // The response to a basic.get is handled a moment later than the deliveries that follow it.
    else this.#unsettled = new Set([...this.#unsettled].sort(byDeliveryTag));
    return delivery;
  }

  get #firstUnsettledTag(): number {
    return this.#unsettled.values().next().value?.deliveryTag ?? Infinity;
  }

  #deliveryChannelOf(channel: Channel, acks: AckBatcher): DeliveryChannel {
    return {
      isCurrent: () => this.#channel === channel,
      settle: (delivery, message, send) => {
        if (this.#channel !== channel || !this.#unsettled.delete(delivery)) return;
        send(acks, message);
        if (this.#unsettled.size === 0) this.#onIdle?.();
        this.#options.onChange?.(delivery);
      },
    };
  }
}

function byDeliveryTag(first: ChannelDelivery, second: ChannelDelivery): number {
  return first.deliveryTag - second.deliveryTag;
}
