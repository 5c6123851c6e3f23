/** A Prometheus by hand: it says what a test wants to fire. */
import { createServer, type Server } from 'node:http';

export function alert(labels: object, annotations: object = {}): object {
  return { labels, annotations, state: 'firing', activeAt: new Date().toISOString() };
}

/** Undefined: it hangs up, as one that is not there. */
export async function serveAlerts(alerts: () => object[] | undefined): Promise<Server> {
  const server = createServer((request, response) => {
    const known = alerts();
    if (known === undefined) request.socket.destroy();
    else response.end(JSON.stringify({ status: 'success', data: { alerts: known } }));
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
