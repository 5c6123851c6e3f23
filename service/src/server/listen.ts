/** An HTTP server with bounds, which finishes running responses before it stops. */
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import pTimeout from 'p-timeout';
import {
  CONNECTION_BOUNDS,
  type ConnectionBounds,
  Connections,
  DEADLINE_CHECK_MS,
} from './connections.ts';

export interface ListeningServer {
  readonly url: string;
  /** Accepts no new connection, lets running requests end, and closes what is left after five seconds. */
  close(): Promise<void>;
}

export interface ListenBounds extends ConnectionBounds {
  /** From the connection, or from the previous request, to the last header. */
  readonly headersTimeoutMs: number;
  /** From the first to the last byte of a request. */
  readonly requestTimeoutMs: number;
}

export const LISTEN_BOUNDS: ListenBounds = {
  ...CONNECTION_BOUNDS,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
};

/** Size of all headers of one request, 431 beyond. Node's default of 16 KiB times 1,000 connections would be too much memory. */
export const HEADER_LIMIT_BYTES = 8 * 1024;
/** Number of headers of one request, 431 beyond. Node keeps each header as two strings. */
export const HEADER_LIMIT_COUNT = 100;

/**
 * Headers of every response unless its handler sets others: answers are not cached, and browsers do not guess their type. They are set
 * here and not by koa-helmet (createApp.ts) alone, because refused requests and the operations port do not pass through Koa.
 */
export const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;

const CLOSE_TIMEOUT_MS = 5_000;
/** Connections that the kernel may deliver in one turn, before the connection that is closed for a new one is really gone. */
const ACCEPT_BURST = 512;

/**
 * @param port 0 picks a free one.
 * @param bounds override `LISTEN_BOUNDS`.
 * @throws an error that names the address and the remedy if the port is taken.
 */
export async function listen(
  listener: (request: IncomingMessage, response: ServerResponse) => unknown,
  host: string,
  port: number,
  bounds: Partial<ListenBounds> = {},
): Promise<ListeningServer> {
  const { headersTimeoutMs, requestTimeoutMs, ...rest } = { ...LISTEN_BOUNDS, ...bounds };
  const server = createServer({
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: DEADLINE_CHECK_MS,
    maxHeaderSize: HEADER_LIMIT_BYTES,
  });
  server.maxHeadersCount = HEADER_LIMIT_COUNT;
  server.maxConnections = rest.connectionLimit + ACCEPT_BURST;
  const connections = new Connections(server, rest);
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    if (!connections.begin(request, response)) return;
    for (const [name, value] of Object.entries(ANSWER_HEADERS)) response.setHeader(name, value);
    void listener(request, response);
  };
  server.on('request', answer);
  // The request is answered like any other, without 100 Continue, so that a client learns of a refusal before it sends its body.
  server.on('checkContinue', answer);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    refuse(error, socket, connections);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new Error(`cannot listen on ${authorityOf(host, port)}: ${remedyOf(error, host)}`, {
          cause: error,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const actualPort = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${authorityOf(host, actualPort)}`,
    close: async () => {
      const closed = new Promise<void>((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
      connections.close();
      server.closeIdleConnections();
      await pTimeout(closed, {
        milliseconds: CLOSE_TIMEOUT_MS,
        fallback: () => {
          server.closeAllConnections();
          return closed;
        },
      });
    },
  };
}

/** @returns host and port as in a URL, with an IPv6 address in brackets. */
function authorityOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** @returns the variable at fault and what to do. */
function remedyOf({ code = 'unknown error' }: NodeJS.ErrnoException, host: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is in use; set PORT or METRICS_PORT, or stop the process that uses it';
    case 'EACCES':
      return 'ports below 1024 need privileges; set PORT or METRICS_PORT';
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'EINVAL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `HOST='${host}' is not an address of this machine (${code}); set HOST to one, such as 127.0.0.1`;
    default:
      return code;
  }
}

const REFUSALS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** Answers a request that cannot be parsed or is late, as Node does by default, with the headers of every response. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex, connections: Connections): void {
  if (socket.writable && !connections.hasBegunAnswer(socket)) {
    const status = REFUSALS[error.code ?? ''] ?? 400;
    const headers = { ...ANSWER_HEADERS, connection: 'close', 'content-length': '0' };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`);
  }
  socket.destroy(error);
}
