/** A stand-in for Prometheus that reports the alerts of a test. */
import { createServer, type Server } from 'node:http';

export function alert(labels: object, annotations: object = {}): object {
  return { labels, annotations, state: 'firing', activeAt: new Date().toISOString() };
}

/** @param alerts returns undefined: the server closes each connection, as if it were not there. */
export async function serveAlerts(alerts: () => object[] | undefined): Promise<Server> {
  const server = createServer((request, response) => {
    const reported = alerts();
    if (reported === undefined) request.socket.destroy();
    else response.end(JSON.stringify({ status: 'success', data: { alerts: reported } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

export function urlOf(server: Server): string {
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

export async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
