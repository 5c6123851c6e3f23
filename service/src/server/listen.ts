/** An HTTP server with bounds, that stops without cutting replies. */
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  CONNECTION_BOUNDS,
  type ConnectionBounds,
  Connections,
  DEADLINE_CHECK_MS,
} from './connections.ts';

export interface ListeningServer {
  readonly url: string;
  /** Takes no new connection, lets running requests end, then cuts what is left after five seconds. */
  close(): Promise<void>;
}

export interface ListenBounds extends ConnectionBounds {
  /** From the connection, or the request before, to the last header. */
  readonly headersTimeoutMs: number;
  /** From the first byte to the last of a request. */
  readonly requestTimeoutMs: number;
}

export const LISTEN_BOUNDS: ListenBounds = {
  ...CONNECTION_BOUNDS,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
};

/** Of one request: all its headers together, 431 beyond. Node's own 16 KiB times 1,000 connections would be too much. */
export const HEADER_LIMIT_BYTES = 8 * 1024;
/** Of one request: how many headers, 431 beyond. Node keeps each as two strings. */
export const HEADER_LIMIT_COUNT = 100;

/**
 * Of every answer that a handler does not say otherwise for: an answer is of now, and of the type that it names. Helmet
 * would add a dozen headers that only mean something to pages; those of the status page are in fileRoutes.ts.
 */
export const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;

const CLOSE_MS = 5_000;
/** What the kernel may hand over in one turn, before a connection that makes room is really closed. */
const ACCEPT_BURST = 512;

/**
 * @param port 0 picks a free one.
 * @param bounds replace those of `LISTEN_BOUNDS`.
 * @throws an error that names the address and the remedy where the port is taken.
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
  // Answered like any other, without 100 Continue: who may not send a body is told so before it sends one.
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
      const cut = setTimeout(() => {
        server.closeAllConnections();
      }, CLOSE_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** @returns host and port as a URL has them: an IPv6 address in brackets. */
function authorityOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** @returns which variable is at fault, and what to do. */
function remedyOf({ code = 'unknown error' }: NodeJS.ErrnoException, host: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is taken; set PORT or METRICS_PORT, or stop what holds it';
    case 'EACCES':
      return 'ports below 1024 need privileges; set PORT or METRICS_PORT';
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'EINVAL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `HOST='${host}' is no address of this machine (${code}); set HOST to one, such as 127.0.0.1`;
    default:
      return code;
  }
}

const REFUSALS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** What is no request, or not in time: as Node answers it, with the headers of every answer. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex, connections: Connections): void {
  if (socket.writable && !connections.hasBegunAnswer(socket)) {
    const status = REFUSALS[error.code ?? ''] ?? 400;
    const headers = { ...ANSWER_HEADERS, connection: 'close', 'content-length': '0' };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`);
  }
  socket.destroy(error);
}
