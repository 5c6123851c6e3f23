/** The operators' port: metrics and health, never on the public one. Open until the very end of the process. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Health } from '../health/health.ts';
import type { MetricSet } from '../metrics/metricSet.ts';
import { type Listening, listen } from './listen.ts';

export interface OperationsOptions {
  readonly host: string;
  readonly port: number;
  readonly metrics: MetricSet;
  readonly health: Health;
}

/** @throws an error that names the address and the remedy where the port is taken. */
export async function serveOperations(options: OperationsOptions): Promise<Listening> {
  const { metrics, health } = options;
  metrics.read('app_draining', {}, () => Number(health.isDraining));
  return await listen(
    (request, response) => {
      answer(request, response, options).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    },
    options.host,
    options.port,
  );
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { metrics, health }: OperationsOptions,
): Promise<void> {
  switch (request.url?.split('?')[0]) {
    case '/metrics': {
      // Whole before the first byte: a defect is then a 500, and never half a page.
      const text = await metrics.registry.metrics();
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
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  response.writeHead(status, headers).end(JSON.stringify(body));
}
