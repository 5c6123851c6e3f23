/**
 * The stream of events, read by fetch: the browser's own EventSource can send no header, and a token in an address would end up
 * in logs. Comes back by itself, later each time.
 */
import { EventParser } from './eventParser.js';

/**
 * @typedef {object} Listener
 * @property {(data: string) => void} onStatus
 * @property {() => void} onLife anything was heard, be it a heartbeat.
 * @property {(lost: { reason: string, retryAt: number }) => void} onLost retryAt in milliseconds since the epoch.
 * @property {() => void} onRefused the token is wrong.
 */

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;
/**
 * The server's heartbeat comes every 15 s: a connection that is silent for longer is dead, and nobody said so. It holds from
 * the request on: a server that hangs takes it, and answers nothing.
 */
const SILENCE_MS = 40_000;

export class Connection {
  #token;
  #listener;
  #abort = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;
  #waitMs = FIRST_WAIT_MS;
  #lastId = '';
  #isClosed = false;

  /**
   * @param {string} token
   * @param {Listener} listener
   */
  constructor(token, listener) {
    this.#token = token;
    this.#listener = listener;
    void this.#run();
  }

  close() {
    this.#isClosed = true;
    this.#abort.abort();
  }

  /** A question and not a field: it changes while others are waited for. */
  #isOver() {
    return this.#isClosed;
  }

  async #run() {
    while (!this.#isOver()) {
      const reason = await this.#readOnce();
      if (this.#isOver()) return;
      // Some at random, or all pages would come back in the same moment after a restart.
      const waitMs = this.#waitMs * (0.75 + Math.random() / 2);
      this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
      this.#listener.onLost({ reason, retryAt: Date.now() + waitMs });
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  /** @returns {Promise<string>} why it ended. */
  async #readOnce() {
    this.#abort = new AbortController();
    this.#awaitLife();
    try {
      const response = await fetch('/events', {
        headers: { authorization: `Bearer ${this.#token}`, 'last-event-id': this.#lastId },
        cache: 'no-store',
        signal: this.#abort.signal,
      });
      if (response.status === 401) {
        this.close();
        this.#listener.onRefused();
        return 'the token was refused';
      }
      if (!response.ok || response.body === null) return `the server answered ${response.status}`;
      await this.#readBody(response.body);
      return 'the server ended the stream';
    } catch {
      return 'the server does not answer';
    } finally {
      clearTimeout(this.#silence);
      // An answer that is no stream has a body, too, which nobody reads.
      this.#abort.abort();
    }
  }

  /** Anew with each sign of life. */
  #awaitLife() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#abort.abort();
    }, SILENCE_MS);
  }

  /** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body */
  async #readBody(body) {
    const parser = new EventParser();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      this.#awaitLife();
      const { done, value } = await reader.read();
      if (done) return;
      this.#waitMs = FIRST_WAIT_MS;
      this.#listener.onLife();
      for (const event of parser.push(value)) {
        this.#lastId = event.id;
        if (event.name === 'status') this.#listener.onStatus(event.data);
      }
    }
  }
}
