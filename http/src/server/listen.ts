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
        new Error(
          `cannot listen on ${host}:${port}; set PORT or METRICS_PORT, or stop what holds it`,
          {
            cause: error,
          },
        ),
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
