/**
 * The event stream of the monolith, for the session of the cookie. It is read by fetch because EventSource of the browser does not say
 * whether it was refused, and it does not notice a dead connection. After a loss it reconnects by itself, with growing pauses.
 */
import { EventParser } from './eventParser.js';

/**
 * @typedef {object} Listener
 * @property {(data: string) => void} onStatus
 * @property {() => void} onActivity any data arrived, also a heartbeat.
 * @property {(lost: { reason: string, retryAt: number }) => void} onLost retryAt in milliseconds since the epoch.
 * @property {(status: 401 | 403) => void} onRefused 401: there is no session, or it has ended; 403: the account may not read the status.
 */

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
/**
 * The server sends a heartbeat every 15 s, so a connection without data for this long is dead. The limit holds from the
 * request on, because a server that hangs accepts a request and answers nothing.
 */
const IDLE_TIMEOUT_MS = 40_000;

export class Connection {
  #listener;
  #abort = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idleTimer;
  #pauseMs = FIRST_PAUSE_MS;
  #lastId = '';
  #isClosed = false;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
    void this.#run();
  }

  close() {
    this.#isClosed = true;
    this.#abort.abort();
  }

  /** A method, because type checking would take a field as unchanged across `await`. */
  #hasClosed() {
    return this.#isClosed;
  }

  async #run() {
    while (!this.#hasClosed()) {
      const reason = await this.#readOnce();
      if (this.#hasClosed()) return;
      // The pause is partly random, so that after a restart not all pages reconnect at the same moment.
      const pauseMs = this.#pauseMs * (0.75 + Math.random() / 2);
      this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
      this.#listener.onLost({ reason, retryAt: Date.now() + pauseMs });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** @returns {Promise<string>} why the stream ended. */
  async #readOnce() {
    this.#abort = new AbortController();
    this.#restartIdleTimer();
    try {
      const response = await fetch('/events', {
        headers: { 'last-event-id': this.#lastId },
        cache: 'no-store',
        signal: this.#abort.signal,
      });
      if (response.status === 401 || response.status === 403) {
        this.close();
        this.#listener.onRefused(response.status);
        return 'the session was refused';
      }
      if (!response.ok || response.body === null) return `the server answered ${response.status}`;
      await this.#readBody(response.body);
      return 'the server ended the stream';
    } catch {
      return 'the server does not answer';
    } finally {
      clearTimeout(this.#idleTimer);
      // The abort also closes a reply that is not a stream, whose body is not read.
      this.#abort.abort();
    }
  }

  #restartIdleTimer() {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      this.#abort.abort();
    }, IDLE_TIMEOUT_MS);
  }

  /** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body */
  async #readBody(body) {
    const parser = new EventParser();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      this.#restartIdleTimer();
      const { done, value } = await reader.read();
      if (done) return;
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#listener.onActivity();
      for (const event of parser.push(value)) {
        this.#lastId = event.id;
        if (event.name === 'status') this.#listener.onStatus(event.data);
      }
    }
  }
}
