/** Takes letters from a dead-letter queue one by one, in order, without consuming it. */
import { type Channel, type ConsumeMessage, connect } from 'amqplib';
import { endConnection } from './endConnection.ts';
import { type HeldLetter, heldLetterOf } from './heldLetter.ts';
import { withHeartbeat } from './openSession.ts';
import { tolerateHeaders } from './tolerateHeaders.ts';

/** A letter in the hand: ack it, or leave it. What is left goes back in order when the box is closed or lost. */
export interface LetterBox {
  /**
   * One call at a time.
   * @returns undefined where no further letter is ready.
   * @throws LetterBoxLost; every letter in the hand is back in the queue then.
   */
  next(): Promise<HeldLetter | undefined>;
  /** Letters behind those in the hand. @throws LetterBoxLost */
  readyCount(): Promise<number>;
  /** Letters that a close gives back, or has given back: the next box may meet the queue without them. */
  owedCount(): number;
  close(): Promise<void>;
}

/** The connection or its channel ended under the reader; the message says why. */
export class LetterBoxLost extends Error {
  override readonly name = 'LetterBoxLost';
}

/** What a box knows of the one before it, when it is opened. */
export interface LetterBoxOptions {
  /**
   * Letters that a box before this one gave back. They are in the queue only a moment after its close was answered: until
   * so many were delivered the queue is not taken for empty. Default 0.
   */
  readonly owedCount?: number | undefined;
  /** They are there within milliseconds; what is not so long after the opening, somebody else has taken. Default 2,000. */
  readonly owedMs?: number | undefined;
}

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
 * @throws where the broker is away or the queue is missing.
 */
export async function openLetterBox(
  url: string,
  queue: string,
  options: LetterBoxOptions = {},
): Promise<LetterBox> {
  const model = await connect(withHeartbeat(url), { timeout: 5_000, noDelay: true });
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
    const opened = new Reader(await model.createChannel(), queue, options);
    reader = opened;
    await opened.openWindow();
    return {
      next: () => opened.next(),
      readyCount: () => opened.readyCount(),
      owedCount: () => opened.owedCount(),
      close: () => endConnection(model, () => opened.close()),
    };
  } catch (error) {
    await endConnection(model);
    throw error;
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
  readonly #arrived: { readonly message: ConsumeMessage; readonly window: Window }[] = [];
  #window: Window = { tag: '', size: 0, heldCount: 0 };
  #windowCount = 0;
  /** What the box before gave back. */
  #owedCount: number;
  readonly #owedUntil: number;
  #deliveredCount = 0;
  #settledCount = 0;
  #lost: LetterBoxLost | undefined;
  #onLost: ((error: LetterBoxLost) => void) | undefined;
  #onArrival: (() => void) | undefined;

  constructor(channel: Channel, queue: string, options: LetterBoxOptions) {
    const { owedCount = 0, owedMs = 2_000 } = options;
    this.#channel = channel;
    this.#queue = queue;
    this.#owedCount = owedCount;
    this.#owedUntil = performance.now() + owedMs;
    channel.on('error', (error: Error) => {
      this.end(error);
    });
    channel.on('close', () => {
      this.end(undefined);
    });
  }

  end(cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : 'the channel was closed';
    this.#lost ??= new LetterBoxLost(reason, { cause });
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

  async next(): Promise<HeldLetter | undefined> {
    // What is owed has an end of its own, and takes none of these turns.
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
      if (emptyTurns < 2) continue;
      if (!this.#isSomeMissing()) return undefined;
      emptyTurns = 0;
      await this.#arrival();
    }
    return undefined;
  }

  async readyCount(): Promise<number> {
    for (;;) {
      const count = (await this.#askReady()) + this.#arrived.length;
      if (count > 0 || !this.#isSomeMissing()) return count;
      await this.#arrival();
    }
  }

  owedCount(): number {
    return Math.max(this.#deliveredCount, this.#owedCount) - this.#settledCount;
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
    await this.#channel.close();
  }

  #take(message: ConsumeMessage, window: Window): void {
    window.heldCount += 1;
    this.#deliveredCount += 1;
    this.#arrived.push({ message, window });
    this.#onArrival?.();
  }

  #shift(): HeldLetter | undefined {
    const first = this.#arrived.shift();
    if (first === undefined) return undefined;
    return heldLetterOf(first.message, {
      channel: this.#channel,
      isCurrent: () => this.#lost === undefined,
      onSettled: () => {
        first.window.heldCount -= 1;
        this.#settledCount += 1;
      },
    });
  }

  #isSomeMissing(): boolean {
    const isMissing = this.#deliveredCount < this.#owedCount;
    if (!isMissing || performance.now() < this.#owedUntil) return isMissing;
    this.#owedCount = 0;
    return false;
  }

  async #renewWindow(): Promise<void> {
    if (this.#window.heldCount < this.#window.size) return;
    await this.#channel.cancel(this.#window.tag);
    await this.openWindow();
  }

  async #askReady(): Promise<number> {
    return (await this.#orLost(() => this.#channel.checkQueue(this.#queue))).messageCount;
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
