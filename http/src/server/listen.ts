/** An HTTP server with bounds, that stops without cutting replies. */
import { createServer, type RequestListener } from 'node:http';

export interface Listening {
  readonly url: string;
  /** Takes no new connection, lets running requests end, then cuts what is left after five seconds. */
  close(): Promise<void>;
}

const CLOSE_MS = 5_000;

/**
 * @param port 0 picks a free one.
 * @throws an error that names the address and the remedy where the port is taken.
 */
export async function listen(
  listener: (...parameters: Parameters<RequestListener>) => unknown,
  host: string,
  port: number,
): Promise<Listening> {
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 30_000 },
    (request, response) => {
      void listener(request, response);
    },
  );
  server.maxConnections = 1_000;
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
    url: `http://${host}:${actualPort}`,
    close: async () => {
      const closed = new Promise<void>((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
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
