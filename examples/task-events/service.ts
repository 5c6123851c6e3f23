/** What both services have in common: an HTTP server, refusals that name the field, and a stop by signal. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import Koa, { type Context, type Middleware } from 'koa';
import { MongoError } from 'mongodb';
import type { z } from 'zod';

const BODY_LIMIT_BYTES = 1024 * 1024;
/** Time for requests that run when the service is stopped. */
const HTTP_STOP_MS = 5_000;

/** The answer is `{field, reason}`. */
export class BadRequest extends Error {
  readonly httpStatus: number;
  readonly field: string;

  constructor(field: string, reason: string, httpStatus = 400) {
    super(reason);
    this.field = field;
    this.httpStatus = httpStatus;
  }
}

/**
 * Reads and checks the JSON body of a request.
 * @throws an error that the application answers with 400 or 413, naming the first wrong field.
 */
export async function readBody<Schema extends z.ZodType>(
  context: Context,
  schema: Schema,
): Promise<z.output<Schema>> {
  return check(schema, await readJson(context));
}

/** @throws BadRequest naming the first wrong field. */
export function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknownField = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const path = [...(issue?.path ?? []), ...unknownField];
  throw new BadRequest(path.length === 0 ? 'body' : path.join('.'), issue?.message ?? 'is wrong');
}

async function readJson({ req }: Context): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_LIMIT_BYTES)
      throw new BadRequest('body', `is longer than ${BODY_LIMIT_BYTES} bytes`, 413);
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
  } catch {
    throw new BadRequest('body', 'is not JSON');
  }
}

type Handler = (
  context: Context & { readonly params: Readonly<Record<string, string>> },
) => void | Promise<void>;

/** What the services use of the router, which is generic in ways that they do not need. */
interface Routes {
  get(path: string, handler: Handler): unknown;
  post(path: string, handler: Handler): unknown;
  put(path: string, handler: Handler): unknown;
  patch(path: string, handler: Handler): unknown;
  delete(path: string, handler: Handler): unknown;
  routes(): Middleware;
  allowedMethods(): Middleware;
}

/** An application that answers wrong requests with the field and the reason. */
export function createApp(): { readonly app: Koa; readonly router: Routes } {
  const app = new Koa();
  app.use(async (context, next) => {
    try {
      await next();
    } catch (error) {
      if (error instanceof BadRequest) {
        context.status = error.httpStatus;
        context.body = { field: error.field, reason: error.message };
      } else if (error instanceof MongoError) {
        context.status = 503;
        context.body = { reason: 'the database does not answer; try again' };
      } else throw error;
    }
  });
  return { app, router: new Router() as unknown as Routes };
}

/**
 * Listens, says so, and stops at SIGTERM or SIGINT, or when the program that started this one has ended.
 * @param name printed with the address.
 * @param close runs after the last request was answered.
 */
export async function runService(
  name: string,
  { app, close }: { app: Koa; close: () => Promise<string> },
): Promise<void> {
  const handle = app.callback();
  const server = createServer((request, response) => {
    void handle(request, response);
  });
  server.listen(Number(process.env['PORT'] ?? 3_000), process.env['HOST'] ?? '127.0.0.1');
  await once(server, 'listening');
  let isStopping = false;
  const stop = async (): Promise<void> => {
    // A terminal and the program that started this one may both send a signal.
    if (isStopping) return;
    isStopping = true;
    const closed = once(server, 'close');
    server.close();
    server.closeIdleConnections();
    setTimeout(() => {
      server.closeAllConnections();
    }, HTTP_STOP_MS).unref();
    await closed;
    console.log(`${name} stopped: ${await close()}`);
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const)
    process.on(signal, () => void stop());
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  console.log(`${name} ready at ${address}, pid ${process.pid}`);
  process.send?.({ ready: address });
}
