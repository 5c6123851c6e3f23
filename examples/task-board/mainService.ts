/** The main service: the only process with an HTTP side, and beside the producer the only one with the database. */
import { once } from 'node:events';
import Router from '@koa/router';
import Koa, { type Context } from 'koa';
import { z } from 'zod';
import { setting, whenStopped } from './process.ts';
import { STATUSES, TaskStore } from './taskStore.ts';

const LARGEST_BODY_BYTES = 64 * 1024;

const newTask = z.strictObject({ text: z.string().trim().min(1).max(10_000) });
const taskId = z.uuid();
const taskStatus = z.enum(STATUSES);

/** Input that the client has to change; the answer names field and reason. */
class BadInput extends Error {
  readonly status: number;
  readonly field: string;

  constructor(field: string, reason: string, status = 400) {
    super(reason);
    this.field = field;
    this.status = status;
  }
}

const store = await TaskStore.open(setting('MONGODB_URL'));
const router = new Router({ prefix: '/api/v1' });

router.post('/create-task', async (context) => {
  const { text } = checked(newTask, await jsonBody(context), 'body');
  context.body = await store.create(text);
  context.status = 201;
});

router.get('/get-task-data', async (context) => {
  const id = checked(taskId, context.query['taskId'], 'taskId');
  const task = await store.find(id);
  if (task === undefined) throw new BadInput('taskId', 'there is no such task', 404);
  context.body = task;
});

router.put('/update-task-status', async (context) => {
  const id = checked(taskId, context.query['taskId'], 'taskId');
  const status = checked(taskStatus, context.query['taskStatus'], 'taskStatus');
  const change = await store.change(id, status);
  switch (change.type) {
    case 'missing':
      throw new BadInput('taskId', 'there is no such task', 404);
    case 'illegal':
      throw new BadInput(
        'taskStatus',
        `a task that is '${change.task.status}' cannot become '${status}'`,
        409,
      );
    // A report that comes twice is answered as the first time, since its sender may have lost the answer.
    case 'changed':
    case 'unchanged':
      context.body = change.task;
  }
});

const app = new Koa();
app.use(async (context, next) => {
  try {
    await next();
  } catch (error) {
    if (error instanceof BadInput) {
      context.status = error.status;
      context.body = { error: { field: error.field, reason: error.message } };
      return;
    }
    console.error('main service:', error);
    context.status = 503;
    context.body = { error: { reason: 'the database does not answer; try again' } };
  }
});
app.use(async (context, next) => {
  if (context.path !== '/healthz') {
    await next();
    return;
  }
  await store.ping();
  context.body = { status: 'ok' };
});
app.use(router.routes()).use(router.allowedMethods());

const server = app.listen(Number(setting('PORT', '8080')), setting('HOST', '127.0.0.1'));
await once(server, 'listening');
console.log('main service: ready');
await whenStopped();
server.close();
server.closeIdleConnections();
await once(server, 'close');
await store.close();
process.exit();

/** @throws BadInput with the first fault. */
function checked<Value>(schema: z.ZodType<Value>, value: unknown, name: string): Value {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys : [];
  throw new BadInput([...(issue?.path ?? []), ...unknown].join('.') || name, issue?.message ?? '');
}

/** @throws BadInput where it is too large, or no JSON. */
async function jsonBody({ req }: Context): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    // The rest is read and dropped, because a client that still sends does not read the answer.
    if (size <= LARGEST_BODY_BYTES) chunks.push(chunk);
  }
  if (size > LARGEST_BODY_BYTES)
    throw new BadInput('body', `must have at most ${LARGEST_BODY_BYTES} bytes`, 413);
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
  } catch {
    throw new BadInput('body', 'must be JSON');
  }
}
