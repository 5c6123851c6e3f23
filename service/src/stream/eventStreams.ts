/** Server-sent events for a bounded number of readers. A slow reader is dropped, so that it cannot fill the memory. */
import { Readable } from 'node:stream';
import { Problem, type ProblemKind } from '../route/problem.ts';

export interface StreamEvent {
  readonly name: string;
  /** Sent back by a reader as Last-Event-ID. */
  readonly id: string;
  /** One line, such as JSON. */
  readonly data: string;
}

export interface EventStreamsOptions {
  /** Readers at a time; one more is answered with 503. Default 20. */
  readonly readerLimit?: number;
  /** Interval of the comments that keep proxies from closing an idle stream; default 15,000. */
  readonly heartbeatMs?: number;
}

/** Unsent bytes of one reader, which are a few status events. A reader with more is dropped and may connect again. */
const BUFFER_BYTES = 128 * 1024;
/** How long a browser waits before it connects again. */
const RETRY_MS = 2_000;

/** Headers of each stream. The connection ends with the stream, so that a stop need not wait for an idle connection. */
export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  connection: 'close',
  // Without this header nginx collects the events in a buffer.
  'x-accel-buffering': 'no',
} as const;

const TOO_MANY_STREAMS: ProblemKind = {
  status: 503,
  code: 'too_many_streams',
  when: 'as many readers as allowed are connected',
  remedy: 'Connect again after Retry-After, or read GET /status.',
};

const STOPPING: ProblemKind = {
  status: 503,
  code: 'stopping',
  when: 'the process is stopping',
  remedy: 'Connect again after Retry-After.',
};

/** What `EventStreams.open` throws. */
export const STREAM_PROBLEMS: readonly ProblemKind[] = [TOO_MANY_STREAMS, STOPPING];

export class EventStreams {
  /** Each with the question whether it may go on reading. */
  readonly #readers = new Map<Readable, () => Promise<boolean>>();
  readonly #readerLimit: number;
  readonly #heartbeat: NodeJS.Timeout;
  #last: string | undefined;
  #isClosed = false;

  constructor({ readerLimit = 20, heartbeatMs = 15_000 }: EventStreamsOptions = {}) {
    this.#readerLimit = readerLimit;
    this.#heartbeat = setInterval(() => {
      this.#sendText(': still here\n\n');
      this.#endForbidden();
    }, heartbeatMs);
    this.#heartbeat.unref();
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  /**
   * Opens a stream that begins with the last event. With each heartbeat the reader is asked for, and its stream ends if it may not read
   * any more. Last-Event-ID is ignored, because each event holds the whole state.
   * @throws Problem 503 `too_many_streams`, `stopping`.
   */
  open(isStillAllowed: () => Promise<boolean> = () => Promise.resolve(true)): Readable {
    if (this.#isClosed) throw busy(STOPPING, 'This process is stopping');
    if (this.#readers.size >= this.#readerLimit)
      throw busy(TOO_MANY_STREAMS, `There are ${this.#readerLimit} readers already`);
    const reader = new Readable({ highWaterMark: BUFFER_BYTES, read: () => undefined });
    this.#readers.set(reader, isStillAllowed);
    reader.once('close', () => this.#readers.delete(reader));
    reader.push(`retry: ${RETRY_MS}\n\n${this.#last ?? ''}`);
    return reader;
  }

  send(event: StreamEvent): void {
    this.#last = textOf(event);
    this.#sendText(this.#last);
  }

  /** Sets the first event of new readers; present readers do not receive it. */
  setInitialEvent(event: StreamEvent): void {
    this.#last = textOf(event);
  }

  /** Ends every stream and opens no further one. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    for (const reader of this.#readers.keys()) reader.push(null);
  }

  /** Ends the streams of those who have logged out or lost their role. Where the database does not answer, streams go on. */
  #endForbidden(): void {
    for (const [reader, isStillAllowed] of this.#readers)
      isStillAllowed().then(
        (isAllowed) => {
          if (!isAllowed && !reader.destroyed) reader.push(null);
        },
        () => undefined,
      );
  }

  #sendText(text: string): void {
    if (this.#isClosed) return;
    // A reader whose buffer is full is dropped. Waiting for it would hold an unbounded number of events.
    for (const reader of this.#readers.keys()) if (!reader.push(text)) reader.destroy();
  }
}

function textOf({ name, id, data }: StreamEvent): string {
  return `event: ${name}\nid: ${id}\ndata: ${data}\n\n`;
}

function busy(kind: ProblemKind, title: string): Problem {
  return new Problem({ ...kind, title, retryAfterSeconds: 5 });
}
