/** The operations port: metrics and health. It is not public, and stays open until the end of the process. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Health } from '../health/health.ts';
import type { MetricSet } from '../metrics/metricSet.ts';
import { type ListeningServer, listen } from './listen.ts';

export interface OperationsOptions {
  readonly host: string;
  readonly port: number;
  readonly metrics: MetricSet;
  readonly health: Health;
  /** Called with an error that is answered with 500; the answer does not show it. */
  readonly onDefect: (error: unknown, path: string) => void;
}

/** Enough for a few scrapers and probes. */
const CONNECTION_LIMIT = 100;

/** @throws an error that names the address and the remedy if the port is taken. */
export async function serveOperations(options: OperationsOptions): Promise<ListeningServer> {
  const { host, port, metrics, health, onDefect } = options;
  metrics.readAtScrape('app_draining', {}, () => Number(health.isDraining));
  const renderMetrics = shareWhilePending(async () =>
    Buffer.from(await metrics.registry.metrics()),
  );
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    // No route here takes a body. An unread body would stay in the buffers of its connection.
    request.resume();
    answer(request, response, { metrics, health, renderMetrics }).catch((error: unknown) => {
      onDefect(error, request.url ?? '');
      send(response, { status: 500, body: { status: 'this is a defect, and it was logged' } });
    });
  };
  return await listen(listener, host, port, { connectionLimit: CONNECTION_LIMIT });
}

/** Calls that arrive while `make` is running share its result, so that many scrapers cost no more than one. */
function shareWhilePending<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let pending: Promise<Value> | undefined;
  return () => {
    pending ??= make().finally(() => {
      pending = undefined;
    });
    return pending;
  };
}

interface Answers extends Pick<OperationsOptions, 'metrics' | 'health'> {
  readonly renderMetrics: () => Promise<Buffer>;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { metrics, health, renderMetrics }: Answers,
): Promise<void> {
  switch (request.url?.split('?')[0]) {
    case '/metrics': {
      // The text is complete before the first byte is sent, so that a defect is answered with 500 and not with half of the metrics.
      const text = await renderMetrics();
      response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text);
      return;
    }
    case '/livez':
      send(response, await health.alive());
      return;
    case '/readyz':
    case '/healthz':
      send(response, await health.ready());
      return;
    default:
      send(response, { status: 404, body: { status: 'not found' } });
  }
}

interface Reply {
  readonly status: number;
  readonly body: object;
}

function send(response: ServerResponse, { status, body }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
