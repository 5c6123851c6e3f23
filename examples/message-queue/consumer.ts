/** A consumer: waits `processing_time` seconds for each message. Start as many as you like. */
import { setTimeout as pause } from 'node:timers/promises';
import { createConnection, createWorker } from '@fit/topology';
import { Counter, Histogram } from 'prom-client';
import { createApp, runService } from './service.ts';
import { topology } from './topology.ts';

/** Share of attempts that fail, from 0 to 1, to practise retries and dead letters. */
const failureRate = Number(process.env['FAILURE_RATE'] ?? 0);
const isVerbose = process.env['LOG_LEVEL'] !== 'warn';

const consumed = new Counter({ name: 'messages_consumed_total', help: 'Messages processed' });
const errors = new Counter({
  name: 'message_processing_errors_total',
  help: 'Attempts that failed',
});
const durations = new Histogram({
  name: 'message_processing_duration_seconds',
  help: 'Time of attempts, failed ones included',
  buckets: [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
});

const connection = await createConnection({
  url: process.env['AMQP_URL'] ?? 'amqp://localhost',
  name: 'consumer',
  connectTimeout: 'forever',
});
const worker = await createWorker({
  connection,
  topology,
  queue: 'messages',
  concurrency: Number(process.env['PREFETCH_COUNT'] ?? 10),
  handler: async ({ body, attempt, signal }) => {
    await pause((body.processing_time ?? 0) * 1_000, undefined, { signal });
    if (Math.random() < failureRate)
      throw new Error(`failed at random in attempt ${attempt.number} of ${attempt.of}`);
    if (isVerbose) console.log(`processed ${body.id}`);
  },
  hooks: {
    onEvent: (event) => {
      if (event.type === 'attempt') {
        durations.observe(event.durationMs / 1_000);
        if (event.outcome === 'done') consumed.inc();
        else {
          errors.inc();
          console.log(`${event.attempt.id}: ${String(event.error)}`);
        }
      }
      if (event.type === 'deadLettered')
        console.log(`dead letter, ${event.cause}: ${event.error ?? ''}`);
    },
  },
});

const { app, router } = createApp();
router.get('/health', (context) => {
  context.status = worker.health === 'running' ? 200 : 503;
  context.body = { status: worker.health, timestamp: new Date().toISOString() };
});
app.use(router.routes()).use(router.allowedMethods());

await runService('consumer', {
  app,
  port: Number(process.env['PORT'] ?? 8_000),
  close: async () => {
    const { finished, returned } = await connection.close({ deadline: '20s' });
    return `${finished} messages ended, ${returned} went back to the queue`;
  },
});
