/** Takes letters from a dead-letter queue one by one, in order, without consuming it. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Channel, type ChannelModel, type ConsumeMessage, connect } from 'amqplib';
import { connectFailure } from './connectFailure.ts';
import { endConnection } from './endConnection.ts';
import { type DeadLetterDelivery, heldLetterOf } from './heldDeadLetter.ts';
import { credentialsIn, withHeartbeat } from './openSession.ts';
import { tolerateHeaders } from './tolerateHeaders.ts';

/**
 * Letters are delivered and kept unacknowledged: ack one, or leave it. What is left goes back in order when the box is
 * closed or lost, unless another consumer reads the same queue meanwhile: then the broker mixes what both give back.
 */
export interface DeadLetterReader {
  /**
   * One call at a time.
   * @returns undefined where no further letter is ready.
   * @throws DeadLetterReaderLost; every letter in the hand is back in the queue then.
   */
  next(): Promise<DeadLetterDelivery | undefined>;
  /** Letters behind those in the hand. @throws DeadLetterReaderLost */
  readyCount(): Promise<number>;
  /**
   * Resolves when the broker reports every letter that was left as ready again, so that the next reader meets the whole
   * queue in its order; without this the next reader would take the letters behind them first. It waits at most
   * `requeueTimeoutMs`, and not at all where another consumer takes the letters as they come back.
   */
  close(): Promise<void>;
}

/** The connection or its channel ended under the reader; the message says why. */
export class DeadLetterReaderLost extends Error {
  override readonly name = 'DeadLetterReaderLost';
}

/** What is done with a letter as it arrives, and how long a box may take to give its letters back. */
export interface DeadLetterReaderOptions {
  /**
   * Told of each letter as it arrives, before anyone asks for it: whoever needs no whole bodies releases them here, because
   * a window of letters is under way at a time. Must not throw.
   */
  readonly onArrival?: ((letter: DeadLetterDelivery) => void) | undefined;
  /** Milliseconds, at least 0; default 2,000. Letters are usually ready again within milliseconds. */
  readonly requeueTimeoutMs?: number | undefined;
}

const DEFAULT_REQUEUE_TIMEOUT_MS = 2_000;
const REQUEUE_POLL_MS = 10;
const connectOptions = (url: string) => ({
  credentials: credentialsIn(url),
  timeout: 5_000,
  noDelay: true,
});
const FIRST_WINDOW_COUNT = 256;
/** basic.qos takes 16 bits. */
const LARGEST_WINDOW_COUNT = 65_535;
/** A letter that is ready but never comes is somebody else's by then. */
const WAIT_TURNS = 100;
const WAIT_MS = 50;
/** Sorts behind the windows: its one letter goes back behind theirs. */
const LAST_TAG = 'desk-last';

/**
 * Letters are consumed, not got: every basic.get is a consumer of its own to a quorum queue, and a closing channel gives
 * theirs back sorted as text, 1, 10, 11, 2 (measured on 3.10.8: 12 letters come back as 1, 10, 11, 12, 2, ...). What one
 * consumer holds goes back in the order of the queue, also when its process is killed.
 * @throws TopologyError `BROKER_UNREACHABLE`, `BROKER_REFUSED`; Error where the queue is missing.
 */
export async function openDeadLetterReader(
  url: string,
  queue: string,
  { requeueTimeoutMs = DEFAULT_REQUEUE_TIMEOUT_MS, onArrival }: DeadLetterReaderOptions = {},
): Promise<DeadLetterReader> {
  const model = await connect(withHeartbeat(url), connectOptions(url)).catch((error: unknown) => {
    throw connectFailure(error, url);
  });
  // Before anything can fail: an error event without a listener would end the process.
  let reader: Reader | undefined;
  model.on('error', (error) => {
    reader?.end(error);
  });
  model.on('close', (error) => {
    reader?.end(error);
  });
  tolerateHeaders(model);
  try {
    const opened = new Reader(await model.createChannel(), queue, onArrival);
    reader = opened;
    await opened.openWindow();
    return {
      next: () => opened.next(),
      readyCount: () => opened.readyCount(),
      close: async () => {
        await endConnection(model, () => opened.close());
        await waitUntilRequeued(url, queue, {
          expectedCount: opened.expectedCount,
          timeoutMs: requeueTimeoutMs,
        });
      },
    };
  } catch (error) {
    await endConnection(model);
    throw error;
  }
}

/**
 * Asks on a connection of its own, since that of the box may be lost. Gives up without an error: the letters are safe in
 * the queue, only a reader that starts at once might meet it incomplete.
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
    model = await connect(withHeartbeat(url), connectOptions(url));
    // Without a listener an error event would end the process.
    model.on('error', () => undefined);
    const channel = await model.createChannel();
    channel.on('error', () => undefined);
    for (;;) {
      const { messageCount, consumerCount } = await channel.checkQueue(queue);
      const isOver = messageCount >= expectedCount || consumerCount > 0;
      if (isOver || performance.now() > deadline) return;
      await pause(REQUEUE_POLL_MS);
    }
  } catch {
    // The broker went away or the queue was deleted: there is no order left to wait for.
  } finally {
    if (model !== undefined) await endConnection(model);
  }
}

/**
 * Reads in windows, each a consumer with a prefetch: a full one is cancelled, keeps its letters, and a larger one goes
 * on. So the memory holds few letters that nobody asked for, and the letters of few consumers go back in order: the
 * broker takes consumers by their tags, as long as they are not more than 32.
 */
class Reader {
  readonly #channel: Channel;
  readonly #queue: string;
  readonly #onLetter: DeadLetterReaderOptions['onArrival'];
  readonly #arrived: DeadLetterDelivery[] = [];
  #window: Window = { tag: '', size: 0, heldCount: 0 };
  #windowCount = 0;
  #deliveredCount = 0;
  #settledCount = 0;
  /** Ready messages at the last question, less what was delivered since; 0 before the first. */
  #readyCount = 0;
  #lost: DeadLetterReaderLost | undefined;
  #onLost: ((error: DeadLetterReaderLost) => void) | undefined;
  #onArrival: (() => void) | undefined;

  constructor(channel: Channel, queue: string, onLetter: DeadLetterReaderOptions['onArrival']) {
    this.#channel = channel;
    this.#queue = queue;
    this.#onLetter = onLetter;
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

  async openWindow(): Promise<void> {
    const size = Math.min(FIRST_WINDOW_COUNT * 2 ** this.#windowCount, LARGEST_WINDOW_COUNT);
    this.#windowCount += 1;
    const consumerTag = `desk-${String(this.#windowCount).padStart(4, '0')}`;
    const window = { tag: consumerTag, size, heldCount: 0 };
    this.#window = window;
    await this.#channel.prefetch(size);
    await this.#channel.consume(
      this.#queue,
      (message) => {
        // null: the queue was deleted.
        if (message === null) this.end(new Error(`the queue '${this.#queue}' was deleted`));
        else this.#take(message, window);
      },
      { consumerTag },
    );
  }

  async next(): Promise<DeadLetterDelivery | undefined> {
    for (let readyTurns = 0, emptyTurns = 0; readyTurns < WAIT_TURNS; ) {
      if (this.#lost !== undefined) throw this.#lost;
      const letter = this.#shift();
      if (letter !== undefined) return letter;
      await this.#orLost(() => this.#renewWindow());
      const readyCount = await this.#askReady();
      if (this.#arrived.length > 0) continue;
      if (readyCount > 0) {
        readyTurns += 1;
        emptyTurns = 0;
        await this.#arrival();
        continue;
      }
      // A letter that is on its way to us is not ready. The queue sent it before it answered, but the channel puts its
      // own answer first: so only the answer to a second question comes after it.
      emptyTurns += 1;
      if (emptyTurns === 2) return undefined;
    }
    return undefined;
  }

  async readyCount(): Promise<number> {
    return (await this.#askReady()) + this.#arrived.length;
  }

  /** Messages that the queue must have ready once everything that is held is back. 0: nothing is held. */
  get expectedCount(): number {
    const heldCount = this.#deliveredCount - this.#settledCount;
    return heldCount === 0 ? 0 : this.#readyCount + heldCount;
  }

  /**
   * A channel passes on 32 acks to a quorum queue, keeps those beyond until the queue has confirmed some, and forgets
   * them when it is closed (measured on 3.10.8: 33 of 100 arrive). A new consumer is answered once what was passed on is
   * stored; at the next question the channel has passed on the rest. What is not settled goes back in order. A cancel
   * would do as well, but for the letters that are under way to the consumer then: amqplib fails at them.
   */
  async close(): Promise<void> {
    await this.#channel.prefetch(1);
    const onLast = () => {
      this.#deliveredCount += 1;
    };
    await this.#channel.consume(this.#queue, onLast, { consumerTag: LAST_TAG });
    await this.#channel.checkQueue(this.#queue);
    // Deliveries that were on their way have arrived before the second answer: from then on the sum is exact.
    this.#readyCount = (await this.#channel.checkQueue(this.#queue)).messageCount;
    await this.#channel.close();
  }

  #take(message: ConsumeMessage, window: Window): void {
    window.heldCount += 1;
    this.#deliveredCount += 1;
    // What was delivered since the last question is no longer ready.
    this.#readyCount = Math.max(0, this.#readyCount - 1);
    const letter = heldLetterOf(message, {
      channel: this.#channel,
      isCurrent: () => this.#lost === undefined,
      onSettled: () => {
        window.heldCount -= 1;
        this.#settledCount += 1;
      },
    });
    this.#onLetter?.(letter);
    this.#arrived.push(letter);
    this.#onArrival?.();
  }

  #shift(): DeadLetterDelivery | undefined {
    return this.#arrived.shift();
  }

  async #renewWindow(): Promise<void> {
    if (this.#window.heldCount < this.#window.size) return;
    await this.#channel.cancel(this.#window.tag);
    await this.openWindow();
  }

  async #askReady(): Promise<number> {
    const { messageCount } = await this.#orLost(() => this.#channel.checkQueue(this.#queue));
    this.#readyCount = messageCount;
    return messageCount;
  }

  async #arrival(): Promise<void> {
    await this.#orLost(
      () =>
        new Promise<void>((resolve) => {
          this.#onArrival = resolve;
          setTimeout(resolve, WAIT_MS);
        }),
    );
  }

  /** amqplib does not answer every question whose connection ends; the reason of the end says more than its own. */
  async #orLost<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    return await new Promise<Answer>((resolve, reject) => {
      this.#onLost = reject;
      if (this.#lost !== undefined) reject(this.#lost);
      else
        ask().then(resolve, (error: unknown) => {
          setImmediate(() => {
            reject(this.#lost ?? (error as Error));
          });
        });
    });
  }
}

interface Window {
  readonly tag: string;
  readonly size: number;
  /** Delivered by this consumer, and not settled. */
  heldCount: number;
}
