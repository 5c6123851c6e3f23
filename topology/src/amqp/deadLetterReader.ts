/** Reads the messages of a dead-letter queue one by one, in order, and leaves in it what is not acknowledged. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { deliveryOf } from './channelDelivery.ts';
import type { Delivery } from './delivery.ts';
import { closeConnection, openConnection } from './openConnection.ts';

/** Properties of an AMQP message besides its headers; absent if the publisher set none. */
export interface DeadLetterProperties {
  readonly messageId?: string;
  readonly correlationId?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly replyTo?: string;
  readonly type?: string;
  readonly appId?: string;
  readonly userId?: string;
  /** Milliseconds, as text. */
  readonly expiration?: string;
  readonly priority?: number;
  /** 2 is persistent. */
  readonly deliveryMode?: number;
  /** Seconds since 1970 by convention; a client can send any number. */
  readonly timestamp?: number;
}

const PROPERTY_NAMES = [
  'messageId',
  'correlationId',
  'contentType',
  'contentEncoding',
  'replyTo',
  'type',
  'appId',
  'userId',
  'expiration',
  'priority',
  'deliveryMode',
  'timestamp',
] as const satisfies readonly (keyof DeadLetterProperties)[];

/** A delivery from a dead-letter queue, with all its properties. */
export interface DeadLetterDelivery extends Delivery {
  /** Properties as published. */
  readonly properties: DeadLetterProperties;
}

/**
 * Dead letters are delivered unacknowledged: the caller acknowledges one, or leaves it. Those that are left are requeued in
 * their order when the reader is closed or lost. If another consumer reads the same queue meanwhile, the broker mixes what
 * both requeue.
 */
export interface DeadLetterReader {
  /**
   * Reads the next dead letter; one call at a time.
   * @returns undefined if no further dead letter is ready.
   * @throws DeadLetterReaderLost; all unacknowledged dead letters are requeued then.
   */
  next(): Promise<DeadLetterDelivery | undefined>;
  /** @returns the number of dead letters that `next` has not returned yet. @throws DeadLetterReaderLost */
  readyCount(): Promise<number>;
  /**
   * Resolves when the broker reports every requeued dead letter as ready again, so that the next reader finds the whole
   * queue in its order. It waits at most `requeueTimeoutMs`, and not at all if another consumer takes them.
   */
  close(): Promise<void>;
}

/** The connection or channel of the reader ended; the message says why. */
export class DeadLetterReaderLost extends Error {
  override readonly name = 'DeadLetterReaderLost';
}

/** What happens to a dead letter on arrival, and how long closing may wait. */
export interface DeadLetterReaderOptions {
  /**
   * Is called for each dead letter as it arrives, which is before `next` returns it: a caller that needs no whole bodies
   * discards them here, because up to a prefetch of dead letters is in memory at a time. Must not throw.
   */
  readonly onArrival?: ((delivery: DeadLetterDelivery) => void) | undefined;
  /** Milliseconds, at least 0; default 2,000. Requeued messages are usually ready again within milliseconds. */
  readonly requeueTimeoutMs?: number | undefined;
}

const DEFAULT_REQUEUE_TIMEOUT_MS = 2_000;
const REQUEUE_POLL_MS = 10;
const CONNECTION_LABEL = 'dead-letter reader';
const FIRST_PREFETCH_COUNT = 256;
/** The prefetch count of basic.qos has 16 bits. */
const LARGEST_PREFETCH_COUNT = 65_535;
/** After so many waits a dead letter that is ready but not delivered has gone to another consumer. */
const ARRIVAL_WAIT_LIMIT = 100;
const ARRIVAL_WAIT_MS = 50;
/**
 * Tag of the temporary consumer that `close` opens to have the last acks stored. The broker requeues in the order of the
 * tags, and this tag sorts last, so that a message which this consumer receives is requeued behind the others.
 */
const LAST_CONSUMER_TAG = 'reader-last';

/**
 * Opens a reader on a connection of its own. It consumes instead of using basic.get, because to a quorum queue every
 * basic.get is a consumer of its own, and a closing channel requeues their messages sorted as text: 1, 10, 11, 2 (measured
 * on 3.10.8). What one consumer holds is requeued in the order of the queue, also when its process is killed.
 * @throws TopologyError `BROKER_UNREACHABLE`, `BROKER_REFUSED`; Error if the queue is missing.
 */
export async function openDeadLetterReader(
  url: string,
  queue: string,
  { requeueTimeoutMs = DEFAULT_REQUEUE_TIMEOUT_MS, onArrival }: DeadLetterReaderOptions = {},
): Promise<DeadLetterReader> {
  const model = await openConnection(url, CONNECTION_LABEL);
  const opened: { reader?: Reader } = {};
  const onEnd = (error: unknown) => {
    opened.reader?.end(error);
  };
  model.on('error', onEnd);
  model.on('close', onEnd);
  try {
    const reader = new Reader(await model.createChannel(), queue, onArrival);
    opened.reader = reader;
    await reader.openConsumer();
    return {
      next: () => reader.next(),
      readyCount: () => reader.readyCount(),
      close: async () => {
        await closeConnection(model, () => reader.close());
        await waitUntilRequeued(url, queue, {
          expectedCount: reader.expectedCount,
          timeoutMs: requeueTimeoutMs,
        });
      },
    };
  } catch (error) {
    await closeConnection(model);
    throw error;
  }
}

/**
 * Reads the depth on a connection of its own, because the reader's may be lost. A timeout is not an error: the dead letters
 * are safe in the queue, and only a reader that starts at once might find the queue incomplete.
 */
async function waitUntilRequeued(
  url: string,
  queue: string,
  { expectedCount, timeoutMs }: { readonly expectedCount: number; readonly timeoutMs: number },
): Promise<void> {
  if (expectedCount === 0) return;
  const deadline = performance.now() + timeoutMs;
  let model: ChannelModel | undefined;
  try {
    model = await openConnection(url, CONNECTION_LABEL);
    const channel = await model.createChannel();
    channel.on('error', () => undefined);
    for (;;) {
      const { messageCount, consumerCount } = await channel.checkQueue(queue);
      const isOver = messageCount >= expectedCount || consumerCount > 0;
      if (isOver || performance.now() > deadline) return;
      await pause(REQUEUE_POLL_MS);
    }
  } catch {
    // The broker went away or the queue was deleted: the dead letters cannot become ready again, so there is nothing to
    // wait for.
  } finally {
    if (model !== undefined) await closeConnection(model);
  }
}

/** One consumer of the reader. */
interface ReaderConsumer {
  readonly tag: string;
  readonly prefetchCount: number;
  /** Delivered by this consumer and not settled. */
  unsettledCount: number;
}

/**
 * Reads with one consumer after the other. A consumer whose prefetch is used up is cancelled and keeps its messages; the
 * next one has twice the prefetch. Few messages are then in memory that the caller did not request, and few consumers hold
 * all of them: the broker requeues in the order of the consumer tags only for up to 32 consumers.
 */
class Reader {
  readonly #channel: Channel;
  readonly #queue: string;
  readonly #onDelivery: DeadLetterReaderOptions['onArrival'];
  readonly #arrived: DeadLetterDelivery[] = [];
  #consumer: ReaderConsumer = { tag: '', prefetchCount: 0, unsettledCount: 0 };
  #consumerCount = 0;
  #deliveredCount = 0;
  #settledCount = 0;
  /** Ready messages at the last passive declare, less what was delivered since; 0 before the first. */
  #readyCount = 0;
  #lost: DeadLetterReaderLost | undefined;
  #onLost: ((error: DeadLetterReaderLost) => void) | undefined;
  #onArrival: (() => void) | undefined;

  constructor(channel: Channel, queue: string, onDelivery: DeadLetterReaderOptions['onArrival']) {
    this.#channel = channel;
    this.#queue = queue;
    this.#onDelivery = onDelivery;
    channel.on('error', (error: Error) => {
      this.end(error);
    });
    channel.on('close', () => {
      this.end(undefined);
    });
  }

  end(cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : 'the channel was closed';
    this.#lost ??= new DeadLetterReaderLost(reason, { cause });
    this.#onLost?.(this.#lost);
  }

  async openConsumer(): Promise<void> {
    const prefetchCount = Math.min(
      FIRST_PREFETCH_COUNT * 2 ** this.#consumerCount,
      LARGEST_PREFETCH_COUNT,
    );
    this.#consumerCount += 1;
    const consumerTag = `reader-${String(this.#consumerCount).padStart(4, '0')}`;
    const consumer = { tag: consumerTag, prefetchCount, unsettledCount: 0 };
    this.#consumer = consumer;
    await this.#channel.prefetch(prefetchCount);
    await this.#channel.consume(
      this.#queue,
      (message) => {
        // null: the queue was deleted.
        if (message === null) this.end(new Error(`the queue '${this.#queue}' was deleted`));
        else this.#receive(message, consumer);
      },
      { consumerTag },
    );
  }

  async next(): Promise<DeadLetterDelivery | undefined> {
    for (let waitCount = 0, emptyCount = 0; waitCount < ARRIVAL_WAIT_LIMIT; ) {
      if (this.#lost !== undefined) throw this.#lost;
      const delivery = this.#arrived.shift();
      if (delivery !== undefined) return delivery;
      await this.#orLost(() => this.#replaceFullConsumer());
      const readyCount = await this.#askReadyCount();
      if (this.#arrived.length > 0) continue;
      if (readyCount > 0) {
        waitCount += 1;
        emptyCount = 0;
        await this.#arrival();
        continue;
      }
      // A dead letter on its way to this consumer is not ready. The queue sends the dead letter before its response, but
      // the channel sends its own response first: only the response to a second request is certain to arrive after the dead
      // letter.
      emptyCount += 1;
      if (emptyCount === 2) return undefined;
    }
    return undefined;
  }

  async readyCount(): Promise<number> {
    return (await this.#askReadyCount()) + this.#arrived.length;
  }

  /** Messages that the queue must have ready once all unsettled ones are requeued; 0 if none is unsettled. */
  get expectedCount(): number {
    const unsettledCount = this.#deliveredCount - this.#settledCount;
    return unsettledCount === 0 ? 0 : this.#readyCount + unsettledCount;
  }

  /**
   * A channel passes 32 acks on to a quorum queue, keeps further ones until the queue has confirmed some, and forgets those
   * when it is closed (measured on 3.10.8: 33 of 100 arrive). The broker confirms a new consumer once the first acks are
   * stored, and at the next request the channel has passed on the rest. A basic.cancel would do as well, but amqplib fails
   * at deliveries that are on their way to a cancelled consumer.
   */
  async close(): Promise<void> {
    await this.#channel.prefetch(1);
    const onLastDelivery = () => {
      this.#deliveredCount += 1;
    };
    await this.#channel.consume(this.#queue, onLastDelivery, { consumerTag: LAST_CONSUMER_TAG });
    await this.#channel.checkQueue(this.#queue);
    // Deliveries that were on their way have arrived before the second response: from then on the sum is exact.
    this.#readyCount = (await this.#channel.checkQueue(this.#queue)).messageCount;
    await this.#channel.close();
  }

  #receive(message: ConsumeMessage, consumer: ReaderConsumer): void {
    consumer.unsettledCount += 1;
    this.#deliveredCount += 1;
    // What was delivered since the last response is no longer ready.
    this.#readyCount = Math.max(0, this.#readyCount - 1);
    const delivery = this.#deliveryOf(message, consumer);
    this.#onDelivery?.(delivery);
    this.#arrived.push(delivery);
    this.#onArrival?.();
  }

  /** Settles at most once: a second ack would close the channel (406) and requeue every unsettled dead letter. */
  #deliveryOf(message: ConsumeMessage, consumer: ReaderConsumer): DeadLetterDelivery {
    let isSettled = false;
    const isCurrent = () => this.#lost === undefined;
    const delivery = deliveryOf(message, {
      isCurrent,
      settle: (_, settled, answer) => {
        if (isSettled || !isCurrent()) return;
        isSettled = true;
        answer(this.#channel, settled);
        consumer.unsettledCount -= 1;
        this.#settledCount += 1;
      },
    });
    const values = message.properties as unknown as Record<string, unknown>;
    const properties: DeadLetterProperties = Object.fromEntries(
      PROPERTY_NAMES.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])),
    );
    return Object.assign(delivery, { properties });
  }

  async #replaceFullConsumer(): Promise<void> {
    if (this.#consumer.unsettledCount < this.#consumer.prefetchCount) return;
    await this.#channel.cancel(this.#consumer.tag);
    await this.openConsumer();
  }

  async #askReadyCount(): Promise<number> {
    const { messageCount } = await this.#orLost(() => this.#channel.checkQueue(this.#queue));
    this.#readyCount = messageCount;
    return messageCount;
  }

  async #arrival(): Promise<void> {
    await this.#orLost(
      () =>
        new Promise<void>((resolve) => {
          this.#onArrival = resolve;
          setTimeout(resolve, ARRIVAL_WAIT_MS);
        }),
    );
  }

  /**
   * amqplib does not settle the promise of every request whose connection ends, and the reason of the end is clearer than
   * amqplib's error.
   */
  async #orLost<Answer>(request: () => Promise<Answer>): Promise<Answer> {
    return await new Promise<Answer>((resolve, reject) => {
      this.#onLost = reject;
      if (this.#lost !== undefined) reject(this.#lost);
      else
        request().then(resolve, (error: unknown) => {
          setImmediate(() => {
            reject(this.#lost ?? (error as Error));
          });
        });
    });
  }
}
