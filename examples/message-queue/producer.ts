/** The producer: takes messages by HTTP, and answers when the broker has them on disk. */
import { createConnection, createPublisher } from '@fit/topology';
import { Counter, Histogram } from 'prom-client';
import { z } from 'zod';
import { createApp, readBody, runService } from './service.ts';
import { messageSchema, topology } from './topology.ts';

const batchSchema = z.strictObject({ messages: z.array(messageSchema).min(1).max(1_000) });
const ROUTES = ['/health', '/produce', '/batch-produce', '/metrics'];

const produced = new Counter({
  name: 'messages_produced_total',
  help: 'Messages that the broker has confirmed',
});
const requests = new Histogram({
  name: 'http_request_duration_seconds',
  help: 'Time of HTTP requests',
  labelNames: ['method', 'route', 'status'],
});

const connection = await createConnection({
  url: process.env['AMQP_URL'] ?? 'amqp://localhost',
  name: 'producer',
  // The broker may start later than this service.
  connectTimeout: 'forever',
});
const publisher = await createPublisher({ connection, topology });
const { app, router } = createApp();

/** @returns why it was not confirmed; undefined if it was. */
async function produce(message: z.output<typeof messageSchema>) {
  const { error } = await publisher.tryPublish('message', message, {
    id: String(message.id),
    timeout: '5s',
  });
  if (error === undefined) produced.inc();
  return error;
}

router.get('/health', (context) => {
  context.status = publisher.isReady ? 200 : 503;
  context.body = {
    status: publisher.isReady ? 'healthy' : 'unhealthy',
    timestamp: new Date().toISOString(),
  };
});
router.post('/produce', async (context) => {
  const message = await readBody(context, messageSchema);
  const error = await produce(message);
  context.status = error === undefined ? 200 : 503;
  context.body =
    error === undefined
      ? { status: 'success', message_id: message.id, timestamp: new Date().toISOString() }
      : { status: 'error', message_id: message.id, reason: error.message };
});
router.post('/batch-produce', async (context) => {
  const { messages } = await readBody(context, batchSchema);
  const errors = await Promise.all(messages.map(produce));
  const failed = messages.filter((_, index) => errors[index] !== undefined);
  const count = messages.length - failed.length;
  context.status = failed.length === 0 ? 200 : 503;
  context.body =
    failed.length === 0
      ? { status: 'success', messages_produced: count }
      : {
          status: 'error',
          messages_produced: count,
          failed: failed.map(({ id }) => id),
          reason: errors.find((error) => error !== undefined)?.message,
        };
});

app.use(async (context, next) => {
  const end = requests.startTimer({ method: context.method });
  try {
    await next();
  } finally {
    // A path that nobody serves must not become a label: there would be any number of them.
    const route = ROUTES.includes(context.path) ? context.path : 'other';
    end({ route, status: context.status });
  }
});
app.use(router.routes()).use(router.allowedMethods());

await runService('producer', {
  app,
  port: Number(process.env['PORT'] ?? 5_000),
  close: async () => {
    await connection.close({ deadline: '20s' });
    return 'all that was accepted is on the broker';
  },
});
