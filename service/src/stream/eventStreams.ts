/** Server-sent events for a bounded number of readers, none of whom can make the process wait or remember. */
import { Readable } from 'node:stream';
import { Problem } from '../route/problem.ts';

export interface StreamEvent {
  readonly name: string;
  /** What a reader sends back as Last-Event-ID. */
  readonly id: string;
  /** Without line breaks, as JSON is. */
  readonly data: string;
}

export interface EventStreamsOptions {
  /** Readers at a time; default 20. One more is answered with 503. */
  readonly readerLimit?: number;
  /** Between comments that keep proxies from closing a quiet stream; default 15,000. */
  readonly heartbeatMs?: number;
}

/** Of one reader, in this process: a few status events. Whoever lags behind by more is dropped, and may come again. */
const BUFFER_BYTES = 128 * 1024;
/** How long a browser waits before it comes again, unless it knows better. */
const RETRY_MS = 2_000;

/** Headers of each stream. It ends with its connection, so that a stop need not wait for an idle one. */
export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  connection: 'close',
  // Proxies of the nginx kind would collect it into buffers.
  'x-accel-buffering': 'no',
} as const;

export class EventStreams {
  readonly #readers = new Set<Readable>();
  readonly #readerLimit: number;
  readonly #heartbeat: NodeJS.Timeout;
  #last: string | undefined;
  #isClosed = false;

  constructor({ readerLimit = 20, heartbeatMs = 15_000 }: EventStreamsOptions = {}) {
    this.#readerLimit = readerLimit;
    this.#heartbeat = setInterval(() => {
      this.#sendText(': still here\n\n');
    }, heartbeatMs);
    this.#heartbeat.unref();
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  /**
   * Begins with the last event, whatever Last-Event-ID the reader names: each event is the whole state.
   * @throws Problem 503 `too_many_streams`, `stopping`.
   */
  open(): Readable {
    if (this.#isClosed) throw busy('stopping', 'This process is stopping');
    if (this.#readers.size >= this.#readerLimit)
      throw busy('too_many_streams', `There are ${this.#readerLimit} readers already`);
    const reader = new Readable({ highWaterMark: BUFFER_BYTES, read: () => undefined });
    this.#readers.add(reader);
    reader.once('close', () => this.#readers.delete(reader));
    reader.push(`retry: ${RETRY_MS}\n\n${this.#last ?? ''}`);
    return reader;
  }

  send(event: StreamEvent): void {
    this.#last = textOf(event);
    this.#sendText(this.#last);
  }

  /** What new readers begin with from now on; those who are there have no use for it. */
  setInitialEvent(event: StreamEvent): void {
    this.#last = textOf(event);
  }

  /** Ends every stream, and opens no further one. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    for (const reader of this.#readers) reader.push(null);
  }

  #sendText(text: string): void {
    if (this.#isClosed) return;
    // Cut, not waited for: what one slow reader does not take would be kept for it without bound.
    for (const reader of this.#readers) if (!reader.push(text)) reader.destroy();
  }
}

function textOf({ name, id, data }: StreamEvent): string {
  return `event: ${name}\nid: ${id}\ndata: ${data}\n\n`;
}

function busy(code: string, title: string): Problem {
  return new Problem({ status: 503, code, title, retryAfterSeconds: 5 });
}
