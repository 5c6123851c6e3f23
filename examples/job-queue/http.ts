/** The HTTP side of both services: JSON bodies, refusals that name field and reason, a graceful stop. */
import { once } from 'node:events';
import type Router from '@koa/router';
import Koa, { type Context } from 'koa';
import { z } from 'zod';
import { setting, whenStopped } from './process.ts';

const LARGEST_BODY_BYTES = 64 * 1024;

/** A request that the client has to change. */
export class Refusal extends Error {
  readonly status: number;
  readonly field: string;

  constructor(status: number, field: string, reason: string) {
    super(reason);
    this.status = status;
    this.field = field;
  }
}

/** Each dependency by name: whether it answers. */
export type Health = () => Promise<Readonly<Record<string, boolean>>>;

/** Serves until the process is asked to stop, and resolves when no request is left. */
export async function serve(
  name: string,
  {
    router,
    health,
    port,
  }: { readonly router: Router; readonly health: Health; readonly port: string },
): Promise<void> {
  const app = new Koa();
  app.use(async (context, next) => {
    try {
      await next();
    } catch (error) {
      if (error instanceof Refusal) {
        context.status = error.status;
        context.body = { error: { field: error.field, reason: error.message } };
        return;
      }
      console.error(`${name}:`, error);
      context.status = 503;
      context.body = { error: { reason: 'the database does not answer; try again' } };
    }
  });
  router.get('/healthz', async (context) => {
    const dependencies = Object.entries(await health());
    const isUp = dependencies.every(([, answers]) => answers);
    context.status = isUp ? 200 : 503;
    context.body = {
      status: isUp ? 'ok' : 'unavailable',
      dependencies: Object.fromEntries(
        dependencies.map(([dependency, answers]) => [dependency, answers ? 'up' : 'down']),
      ),
    };
  });
  app.use(router.routes()).use(router.allowedMethods());
  const server = app.listen(Number(port), setting('HOST', '127.0.0.1'));
  await once(server, 'listening');
  console.log(`${name}: ready`);
  await whenStopped();
  server.close();
  server.closeIdleConnections();
  await once(server, 'close');
}

/** @throws Refusal with the first fault. */
export function checked<Value>(schema: z.ZodType<Value>, value: unknown, name: string): Value {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys : [];
  const path = [...(issue?.path ?? []), ...unknown].join('.');
  throw new Refusal(400, path === '' ? name : path, issue?.message ?? '');
}

/** @throws Refusal where it is too large, or no JSON. */
export async function jsonBody({ req }: Context): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    // The rest is read and dropped, because a client that still sends does not read the answer.
    if (size <= LARGEST_BODY_BYTES) chunks.push(chunk);
  }
  if (size > LARGEST_BODY_BYTES)
    throw new Refusal(413, 'body', `must have at most ${LARGEST_BODY_BYTES} bytes`);
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
  } catch {
    throw new Refusal(400, 'body', 'must be JSON');
  }
}
