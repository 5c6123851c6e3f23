/** One instance of the API. */
import { randomUUID } from 'node:crypto';
import { createConnection, createPublisher } from '@fit/topology';
import type { Collection } from 'mongodb';
import { Cache } from './cache.ts';
import { type Changed, type Named, openDatabase, type TaskChange } from './database.ts';
import { docsPage, openApiDocument } from './openApi.ts';
import { OutboxRelay } from './outboxRelay.ts';
import {
  categorySchema,
  taskChangeSchema,
  taskFilterSchema,
  taskSchema,
  userSchema,
} from './requests.ts';
import { BadRequest, check, createApp, readBody, runService } from './service.ts';
import { topology } from './topology.ts';

const database = await openDatabase();
const connection = await createConnection({
  url: process.env['AMQP_URL'] ?? 'amqp://localhost',
  name: 'task-events API',
  // The broker may start later than this service.
  connectTimeout: 'forever',
});
const publisher = await createPublisher({ connection, topology });
const relay = new OutboxRelay(publisher, database.tasks);
const cache = new Cache(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379');
const { app, router } = createApp();

async function requireExisting(collection: Collection<Named>, field: string, id?: string) {
  if (id !== undefined && (await collection.findOne({ _id: id })) === null)
    throw new BadRequest(field, `there is no ${field.replace('Id', '')} ${id}`);
}

function noTask(id: string): BadRequest {
  return new BadRequest('id', `there is no task ${id}`, 404);
}

/** The change is stored with its event: the answer need not wait for the broker. */
async function published(change: Changed | undefined, id: string): Promise<object> {
  if (change === undefined) throw noTask(id);
  relay.publish(change.outbox);
  await cache.invalidate();
  return change.task;
}

async function change(id: string, fields: TaskChange): Promise<object> {
  await requireExisting(database.users, 'userId', fields.userId);
  await requireExisting(database.categories, 'categoryId', fields.categoryId);
  return await published(await database.tasks.update(id, fields), id);
}

for (const [path, collection, schema] of [
  ['/users', database.users, userSchema],
  ['/categories', database.categories, categorySchema],
] as const) {
  router.post(path, async (context) => {
    const fields = await readBody(context, schema);
    const document: Named = { _id: randomUUID(), ...fields };
    await collection.insertOne(document);
    context.status = 201;
    context.body = { id: document._id, ...fields };
  });
  router.get(path, async (context) => {
    const documents = await collection.find().sort({ name: 1 }).limit(100).toArray();
    context.body = documents.map(({ _id: id, ...fields }) => ({ id, ...fields }));
  });
}

router.post('/tasks', async (context) => {
  const fields = await readBody(context, taskSchema);
  await requireExisting(database.users, 'userId', fields.userId);
  await requireExisting(database.categories, 'categoryId', fields.categoryId);
  context.body = await published(await database.tasks.create(fields), '');
  context.status = 201;
});
router.get('/tasks', async (context) => {
  const filter = check(taskFilterSchema, { ...context.query });
  const key = `list:${JSON.stringify([filter.status, filter.userId, filter.categoryId])}`;
  const { value, isHit } = await cache.read(key, () => database.tasks.list(filter));
  context.set('x-cache', isHit ? 'hit' : 'miss');
  context.body = value;
});
router.get('/tasks/:id', async (context) => {
  const id = context.params['id'] ?? '';
  const { value, isHit } = await cache.read(`task:${id}`, () => database.tasks.find(id));
  if (value === undefined) throw noTask(id);
  context.set('x-cache', isHit ? 'hit' : 'miss');
  context.body = value;
});
router.put('/tasks/:id', async (context) => {
  const fields = await readBody(context, taskSchema);
  context.body = await change(context.params['id'] ?? '', fields);
});
router.patch('/tasks/:id', async (context) => {
  const fields = await readBody(context, taskChangeSchema);
  context.body = await change(context.params['id'] ?? '', fields);
});
router.delete('/tasks/:id', async (context) => {
  const id = context.params['id'] ?? '';
  await published(await database.tasks.delete(id), id);
  context.status = 204;
});
router.get('/notifications', async (context) => {
  const { taskId } = context.query;
  const filter = typeof taskId === 'string' ? { taskId } : {};
  const found = await database.notifications
    .find(filter)
    .sort({ sentAt: 1 })
    .limit(1_000)
    .toArray();
  context.body = found.map(({ _id: eventId, ...fields }) => ({ eventId, ...fields }));
});
router.get('/health', (context) => {
  context.body = {
    status: publisher.isReady ? 'healthy' : 'degraded',
    broker: publisher.isReady,
    cache: cache.isUp,
  };
});
router.get('/openapi.json', (context) => {
  context.body = openApiDocument;
});
router.get('/docs', (context) => {
  context.type = 'html';
  context.body = docsPage();
});

app.use(async (context, next) => {
  context.set('x-instance', String(process.pid));
  await next();
});
app.use(router.routes()).use(router.allowedMethods());

await runService('api', {
  app,
  close: async () => {
    await relay.close();
    await connection.close({ deadline: '20s' });
    cache.close();
    await database.close();
    return 'what was not published stays in the outbox';
  },
});
