/** The operators' port: metrics and health, never on the public one. Open until the very end of the process. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Health } from '../health/health.ts';
import type { MetricSet } from '../metrics/metricSet.ts';
import { type ListeningServer, listen } from './listen.ts';

export interface OperationsOptions {
  readonly host: string;
  readonly port: number;
  readonly metrics: MetricSet;
  readonly health: Health;
  /** The answer says nothing of it. */
  readonly onDefect: (error: unknown, path: string) => void;
}

/** Scrapers and probes, a few of each. */
const CONNECTION_LIMIT = 100;

/** @throws an error that names the address and the remedy where the port is taken. */
export async function serveOperations(options: OperationsOptions): Promise<ListeningServer> {
  const { host, port, metrics, health, onDefect } = options;
  metrics.readAtScrape('app_draining', {}, () => Number(health.isDraining));
  const page = sharedWhileAsked(async () => Buffer.from(await metrics.registry.metrics()));
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    // No route here takes a body; unread, it would stay in the buffers of its connection.
    request.resume();
    answer(request, response, { metrics, health, page }).catch((error: unknown) => {
      onDefect(error, request.url ?? '');
      send(response, { status: 500, body: { status: 'this is a defect, and it was logged' } });
    });
  };
  return await listen(listener, host, port, { connectionLimit: CONNECTION_LIMIT });
}

/** @returns what `make` makes; those who ask while it does get the same, so that their number costs neither time nor memory. */
function sharedWhileAsked<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let pending: Promise<Value> | undefined;
  return () => {
    pending ??= make().finally(() => {
      pending = undefined;
    });
    return pending;
  };
}

interface Answers extends Pick<OperationsOptions, 'metrics' | 'health'> {
  readonly page: () => Promise<Buffer>;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { metrics, health, page }: Answers,
): Promise<void> {
  switch (request.url?.split('?')[0]) {
    case '/metrics': {
      // Whole before the first byte: a defect is then a 500, and never half a page.
      const text = await page();
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
