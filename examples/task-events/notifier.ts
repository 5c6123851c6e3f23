/** A notification worker: notifies once of each event, however often the event comes. Start as many as you like. */
import { createConnection, createWorker } from '@fit/topology';
import { openDatabase, storeOnce } from './database.ts';
import { createApp, runService } from './service.ts';
import { topology } from './topology.ts';

/** Share of attempts that fail, from 0 to 1. */
const failureRate = Number(process.env['FAILURE_RATE'] ?? 0);
/** So many attempts of every event fail, to see a retry move between workers. */
const failFirst = Number(process.env['FAIL_FIRST'] ?? 0);
const name = `worker ${process.pid}`;

const database = await openDatabase();
const connection = await createConnection({
  url: process.env['AMQP_URL'] ?? 'amqp://localhost',
  name: 'task-events notifier',
  connectTimeout: 'forever',
});
const worker = await createWorker({
  connection,
  topology,
  queue: 'task_events',
  handler: async ({ body: { type, payload, metadata }, attempt }) => {
    const label = `${name}: attempt ${attempt.number} of ${attempt.of}, ${metadata.eventId}`;
    if (attempt.number <= failFirst || Math.random() < failureRate) {
      console.log(`${label}: failed`);
      throw new Error('the mail server is busy');
    }
    // The record is the notification: one write that either happened or did not, so a kill makes neither none nor two.
    const text = `e-mail sent: ${type} "${payload.title}"`;
    const isNew = await storeOnce(database.notifications, {
      _id: metadata.eventId,
      taskId: payload.id,
      type,
      text,
      worker: name,
      sentAt: new Date(),
    });
    console.log(isNew ? `${label}: ${text}` : `${label}: was sent before`);
  },
  hooks: {
    onEvent: (event) => {
      if (event.type === 'deadLettered')
        console.log(`${name}: dead letter, ${event.cause}: ${event.error ?? ''}`);
    },
  },
});

const { app, router } = createApp();
router.get('/health', (context) => {
  context.status = worker.health === 'running' ? 200 : 503;
  context.body = { status: worker.health };
});
app.use(router.routes());
await runService('notifier', {
  app,
  close: async () => {
    const { finished, returned } = await connection.close({ deadline: '20s' });
    await database.close();
    return `${finished} events ended, ${returned} went back to the queue`;
  },
});
