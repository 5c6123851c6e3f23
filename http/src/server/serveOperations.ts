/** The operators' port: metrics and health, never on the public one. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { type Listening, listen } from './listen.ts';

/** Each dependency by name, and whether it is fit for work now. */
export type Readiness = () => Promise<Readonly<Record<string, boolean>>>;

export interface OperationsOptions {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  readonly readiness: Readiness;
}

export async function serveOperations(options: OperationsOptions): Promise<Listening> {
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
  { registry, readiness }: OperationsOptions,
): Promise<void> {
  switch (request.url) {
    case '/metrics':
      response.writeHead(200, { 'content-type': registry.contentType });
      response.end(await registry.metrics());
      return;
    case '/livez':
      sendJson(response, 200, { status: 'alive' });
      return;
    case '/readyz':
    case '/healthz': {
      const { status, body } = await readyReply(readiness);
      sendJson(response, status, body);
      return;
    }
    default:
      sendJson(response, 404, { status: 'not found' });
  }
}

export interface ReadyReply {
  readonly status: 200 | 503;
  readonly body: { readonly status: string; readonly checks: Readonly<Record<string, boolean>> };
}

/** 200 only while every dependency is fit. */
export async function readyReply(readiness: Readiness): Promise<ReadyReply> {
  const checks = await readiness();
  const isReady = Object.values(checks).every(Boolean);
  return { status: isReady ? 200 : 503, body: { status: isReady ? 'ready' : 'not ready', checks } };
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
