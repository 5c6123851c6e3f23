/**
 * The connections of one port: their number, the requests of each, and which one is closed if there are too many.
 *
 * Node's own `maxConnections` refuses the newest connection, so that a client that opens a thousand and sends nothing locks everybody
 * out. Here the connection that has been idle for longest is closed instead, so that a new client is served at once.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface ConnectionBounds {
  /** Connections open at a time; one more closes the connection that has been idle for longest. */
  readonly connectionLimit: number;
  /** Unanswered requests of one connection; one more closes the connection. FIT's own clients never send a second one early. */
  readonly pipelineLimit: number;
  /** Answers that clients have not received yet, of all connections together; beyond it the connections that hold most are closed. */
  readonly unsentBudgetBytes: number;
  /** How long a client may take to read an answer that is complete in this process. */
  readonly unreadTimeoutMs: number;
  /** How long a connection stays open whose request is answered while its body still arrives, so that the client can read the answer. */
  readonly lingerTimeoutMs: number;
}

export const CONNECTION_BOUNDS: ConnectionBounds = {
  connectionLimit: 1_000,
  pipelineLimit: 8,
  unsentBudgetBytes: 16 * 1024 * 1024,
  unreadTimeoutMs: 30_000,
  lingerTimeoutMs: 2_000,
};

/** Interval of the checks; a deadline acts late by at most this. */
export const DEADLINE_CHECK_MS = 1_000;
/** The least time between two sums over all connections, whatever the rate of requests. */
const SUM_INTERVAL_MS = 20;

interface ConnectionState {
  readonly responses: Set<ServerResponse>;
  /** What only the client can do next, and since when; undefined while this process has something to do. */
  clientWait: { readonly action: ClientAction; readonly sinceMs: number } | undefined;
  /** The newest request, whose body may still arrive after its answer. */
  lastRequest: IncomingMessage | undefined;
}

/** `readAnswer`: the answer is complete here; `endBody`: the request is answered, and its body still arrives. */
type ClientAction = 'readAnswer' | 'endBody';

export class Connections {
  readonly #bounds: ConnectionBounds;
  readonly #states = new Map<Duplex, ConnectionState>();
  /** Connections without a request under way; the one that has been idle for longest comes first. */
  readonly #idle = new Set<Duplex>();
  readonly #checkTimer: NodeJS.Timeout;
  #isClosing = false;
  #summedAtMs = 0;

  /** @param server a server that does not listen yet. */
  constructor(server: Server, bounds: ConnectionBounds) {
    this.#bounds = bounds;
    server.on('connection', (socket) => {
      this.#accept(socket);
    });
    this.#checkTimer = setInterval(() => {
      this.#closeOverdue();
    }, DEADLINE_CHECK_MS);
    this.#checkTimer.unref();
  }

  get count(): number {
    return this.#states.size;
  }

  /** Registers a request. @returns false if it is not to be answered: its connection had too many requests and is closed. */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request;
    const state = this.#states.get(socket);
    if (state === undefined) return false;
    if (state.responses.size >= this.#bounds.pipelineLimit) {
      this.#destroy(socket);
      return false;
    }
    state.responses.add(response);
    state.lastRequest = request;
    state.clientWait = undefined;
    this.#idle.delete(socket);
    response.once('finish', () => {
      // A chunked body costs a call for each chunk, however small, so it is not read on. A body of declared length costs one call for
      // each read and is discarded. The pause waits for the next turn, because Node resumes the connection in this one.
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
    this.#enforceUnsentBudget();
    return true;
  }

  /** @returns whether an answer has begun on this connection, so that no other one can be written to it. */
  hasBegunAnswer(socket: Duplex): boolean {
    const responses = this.#states.get(socket)?.responses ?? [];
    return [...responses].some(({ headersSent }) => headersSent);
  }

  /** Closes every idle connection at once and the others after their answers, and ends the checks. */
  close(): void {
    this.#isClosing = true;
    clearInterval(this.#checkTimer);
    for (const socket of this.#idle) this.#destroy(socket);
  }

  #accept(socket: Socket): void {
    if (this.#states.size >= this.#bounds.connectionLimit && !this.#closeOne()) {
      socket.destroy();
      return;
    }
    this.#states.set(socket, {
      responses: new Set(),
      clientWait: undefined,
      lastRequest: undefined,
    });
    this.#idle.add(socket);
    socket.once('close', () => {
      this.#forget(socket);
    });
  }

  /** @returns false if every connection has a request that is being answered. */
  #closeOne(): boolean {
    const [idle] = this.#idle;
    const victim = idle ?? this.#oldestUnfinished();
    if (victim === undefined) return false;
    this.#destroy(victim);
    return true;
  }

  /** @returns the oldest connection that still sends its request; the map is ordered by age. */
  #oldestUnfinished(): Duplex | undefined {
    for (const [socket, { lastRequest }] of this.#states)
      if (lastRequest?.complete === false) return socket;
    return undefined;
  }

  #closeOverdue(): void {
    const nowMs = performance.now();
    const limitsMs = {
      readAnswer: this.#bounds.unreadTimeoutMs,
      endBody: this.#bounds.lingerTimeoutMs,
    };
    for (const [socket, state] of this.#states) {
      const action = clientActionOf(state);
      if (action === undefined) state.clientWait = undefined;
      else if (state.clientWait?.action !== action) state.clientWait = { action, sinceMs: nowMs };
      else if (nowMs - state.clientWait.sinceMs >= limitsMs[action]) this.#destroy(socket);
    }
    this.#enforceUnsentBudget();
  }

  /** Closes the connections with the most unsent bytes if all together exceed the budget: their clients do not read. */
  #enforceUnsentBudget(): void {
    const nowMs = performance.now();
    if (nowMs - this.#summedAtMs < SUM_INTERVAL_MS) return;
    this.#summedAtMs = nowMs;
    const unsent = [...this.#states]
      .map(([socket, { responses }]) => ({ socket, bytes: unsentBytes(socket, responses) }))
      .filter(({ bytes }) => bytes > 0);
    let sum = unsent.reduce((total, { bytes }) => total + bytes, 0);
    if (sum <= this.#bounds.unsentBudgetBytes) return;
    for (const { socket, bytes } of unsent.sort((left, right) => right.bytes - left.bytes)) {
      if (sum <= this.#bounds.unsentBudgetBytes) return;
      this.#destroy(socket);
      sum -= bytes;
    }
  }

  /** Closes the connection at once, without an answer. */
  #destroy(socket: Duplex): void {
    this.#forget(socket);
    socket.destroy();
  }

  #forget(socket: Duplex): void {
    this.#states.delete(socket);
    this.#idle.delete(socket);
  }
}

/** @returns what only the client can do next; undefined while this process works on an answer or waits for a request. */
function clientActionOf({ responses, lastRequest }: ConnectionState): ClientAction | undefined {
  if (responses.size === 0) return lastRequest?.complete === false ? 'endBody' : undefined;
  return [...responses].every(({ writableEnded }) => writableEnded) ? 'readAnswer' : undefined;
}

/** The answer that is being sent is buffered in the socket, the answers behind it in their own objects. */
function unsentBytes(socket: Duplex, responses: ReadonlySet<ServerResponse>): number {
  let bytes = socket.writableLength;
  for (const response of responses) if (response.socket === null) bytes += response.writableLength;
  return bytes;
}
