/**
 * The connections of one port: how many there may be, what each may have under way, and which one goes first.
 *
 * Node bounds their number by refusing the newest, so that whoever opens a thousand and sends nothing shuts everybody out.
 * Here the one that has been idle for longest makes room, so that a new client is served at once.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface ConnectionBounds {
  /** Open at a time; beyond it the one that has been idle for longest is closed. */
  readonly connectionLimit: number;
  /** Requests of one connection that are not answered yet; one more closes it. No client of ours sends a second one early. */
  readonly pipelineLimit: number;
  /** Answers that their clients have not taken yet, of all connections; beyond it the largest are cut. */
  readonly unsentBudgetBytes: number;
  /** How long a client may take to read an answer that is complete here. */
  readonly unreadTimeoutMs: number;
  /** How long a connection stays whose body goes on although its request is answered: the client can still read the answer. */
  readonly lingerTimeoutMs: number;
}

export const CONNECTION_BOUNDS: ConnectionBounds = {
  connectionLimit: 1_000,
  pipelineLimit: 8,
  unsentBudgetBytes: 16 * 1024 * 1024,
  unreadTimeoutMs: 30_000,
  lingerTimeoutMs: 2_000,
};

/** How often deadlines are looked at; they act late by this much at most. */
export const DEADLINE_CHECK_MS = 1_000;
/** Between two sums over all connections, however many requests arrive. */
const SUM_EVERY_MS = 20;

interface State {
  readonly responses: Set<ServerResponse>;
  /** Since when a sweep found it waiting for its client alone, and for what. */
  waits: { readonly for: 'read' | 'end'; readonly sinceMs: number } | undefined;
  /** The request that was answered last, whose body may still be arriving. */
  lastRequest: IncomingMessage | undefined;
}

export class Connections {
  readonly #bounds: ConnectionBounds;
  readonly #states = new Map<Duplex, State>();
  /** Those without a request under way, the one that has been so for longest first. */
  readonly #idle = new Set<Duplex>();
  readonly #sweeper: NodeJS.Timeout;
  #isClosing = false;
  #summedAtMs = 0;

  /** Watches the connections of a server that does not listen yet. */
  constructor(server: Server, bounds: ConnectionBounds) {
    this.#bounds = bounds;
    server.on('connection', (socket) => {
      this.#accept(socket);
    });
    this.#sweeper = setInterval(() => {
      this.#sweep();
    }, DEADLINE_CHECK_MS);
    this.#sweeper.unref();
  }

  get count(): number {
    return this.#states.size;
  }

  /** @returns false where the connection is closed instead: it has too many requests under way. */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request;
    const state = this.#states.get(socket);
    if (state === undefined) return false;
    if (state.responses.size >= this.#bounds.pipelineLimit) {
      this.#cut(socket);
      return false;
    }
    state.responses.add(response);
    state.lastRequest = request;
    state.waits = undefined;
    this.#idle.delete(socket);
    response.once('finish', () => {
      // Each chunk costs a call, however small it is; a body of declared length costs one for each read, and is discarded.
      // Node itself begins to discard the rest of a body in this turn, and would resume a connection that is paused before.
      setImmediate(() => {
        if (!request.complete && request.headers['transfer-encoding'] !== undefined) socket.pause();
      });
    });
    response.once('close', () => {
      state.responses.delete(response);
      if (state.responses.size > 0 || !this.#states.has(socket)) return;
      if (this.#isClosing) socket.end();
      else this.#idle.add(socket);
    });
    this.#boundUnsent();
    return true;
  }

  /** @returns whether an answer to it has begun, so that no other can be written. */
  hasBegunAnswer(socket: Duplex): boolean {
    const responses = this.#states.get(socket)?.responses ?? [];
    return [...responses].some(({ headersSent }) => headersSent);
  }

  /** Closes every connection that has no request under way, the others after their answers, and watches no longer. */
  close(): void {
    this.#isClosing = true;
    clearInterval(this.#sweeper);
    for (const socket of this.#idle) this.#cut(socket);
  }

  #accept(socket: Socket): void {
    if (this.#states.size >= this.#bounds.connectionLimit && !this.#makeRoom()) {
      socket.destroy();
      return;
    }
    this.#states.set(socket, {
      responses: new Set(),
      waits: undefined,
      lastRequest: undefined,
    });
    this.#idle.add(socket);
    socket.once('close', () => {
      this.#forget(socket);
    });
  }

  /** @returns false where every connection has a request that is being answered. */
  #makeRoom(): boolean {
    const [idle] = this.#idle;
    const victim = idle ?? this.#oldestUnfinished();
    if (victim === undefined) return false;
    this.#cut(victim);
    return true;
  }

  /** Of those that still send their request; the map has them by age. */
  #oldestUnfinished(): Duplex | undefined {
    for (const [socket, { lastRequest }] of this.#states)
      if (lastRequest?.complete === false) return socket;
    return undefined;
  }

  #sweep(): void {
    const nowMs = performance.now();
    const limitsMs = { read: this.#bounds.unreadTimeoutMs, end: this.#bounds.lingerTimeoutMs };
    for (const [socket, state] of this.#states) {
      const waitsFor = waitOf(state);
      if (waitsFor === undefined) state.waits = undefined;
      else if (state.waits?.for !== waitsFor) state.waits = { for: waitsFor, sinceMs: nowMs };
      else if (nowMs - state.waits.sinceMs >= limitsMs[waitsFor]) this.#cut(socket);
    }
    this.#boundUnsent();
  }

  /** What is not sent is held here for a client that does not read; the largest is the one to give up. */
  #boundUnsent(): void {
    const nowMs = performance.now();
    if (nowMs - this.#summedAtMs < SUM_EVERY_MS) return;
    this.#summedAtMs = nowMs;
    const unsent = [...this.#states]
      .map(([socket, { responses }]) => ({ socket, bytes: unsentBytes(socket, responses) }))
      .filter(({ bytes }) => bytes > 0);
    let sum = unsent.reduce((total, { bytes }) => total + bytes, 0);
    if (sum <= this.#bounds.unsentBudgetBytes) return;
    for (const { socket, bytes } of unsent.sort((one, other) => other.bytes - one.bytes)) {
      if (sum <= this.#bounds.unsentBudgetBytes) return;
      this.#cut(socket);
      sum -= bytes;
    }
  }

  /** Closes the connection at once, without an answer. */
  #cut(socket: Duplex): void {
    this.#forget(socket);
    socket.destroy();
  }

  #forget(socket: Duplex): void {
    this.#states.delete(socket);
    this.#idle.delete(socket);
  }
}

/** @returns what only the client can do next: read its answers, or end a body that nobody wants; else undefined. */
function waitOf({ responses, lastRequest }: State): 'read' | 'end' | undefined {
  if (responses.size === 0) return lastRequest?.complete === false ? 'end' : undefined;
  return [...responses].every(({ writableEnded }) => writableEnded) ? 'read' : undefined;
}

/** Of the answer that is being sent, in the socket; of those behind it, in each of them. */
function unsentBytes(socket: Duplex, responses: ReadonlySet<ServerResponse>): number {
  let bytes = socket.writableLength;
  for (const response of responses) if (response.socket === null) bytes += response.writableLength;
  return bytes;
}
