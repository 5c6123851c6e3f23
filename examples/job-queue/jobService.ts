/** Jobs of users: enqueues and shows them. Beside that it does the background tasks of the queue: relay, repair, dead letters. */
import { JobRefused } from '@fit/jobs';
import Router from '@koa/router';
import { z } from 'zod';
import { checked, jsonBody, Refusal, serve } from './http.ts';
import { loadTypes } from './jobType.ts';
import { setting } from './process.ts';
import { openQueue, PRIORITIES } from './queue.ts';
import { userOf } from './token.ts';
import { UserJobs } from './userJobs.ts';

const types = await loadTypes(setting('MORE_TYPES', ''));
const queue = await openQueue({
  database: setting('MONGODB_URL'),
  connection: setting('AMQP_URL'),
});
const userJobs = new UserJobs(queue);

const newJob = z.strictObject({
  type: z.enum([...types.keys()]),
  payload: z.unknown(),
  priority: z.enum(PRIORITIES).default('medium'),
});
const page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  before: z.uuid().optional(),
});

const router = new Router();

router.post('/jobs', async (context) => {
  const user = await userOf(context.get('authorization'));
  const { type, payload, priority } = checked(newJob, await jsonBody(context), 'body');
  const schema = types.get(type)?.payload ?? z.never();
  checked(z.object({ payload: schema }), { payload }, 'payload');
  const job = await userJobs.enqueue(user, { type, payload, priority }).catch((error: unknown) => {
    if (!(error instanceof JobRefused)) throw error;
    throw new Refusal(400, error.field ?? 'payload', error.message);
  });
  context.status = 201;
  context.body = { jobId: job.id, status: 'QUEUED', type, created_at: job.created_at };
});

router.get('/jobs/:id', async (context) => {
  const user = await userOf(context.get('authorization'));
  const id = z.uuid().safeParse(context.params['id']);
  const job = id.success ? await userJobs.find(user, id.data) : undefined;
  // The same answer for a job of another user: nobody learns which jobs exist.
  if (job === undefined) throw new Refusal(404, 'id', 'you have no such job');
  context.body = job;
});

router.get('/jobs', async (context) => {
  const user = await userOf(context.get('authorization'));
  const { limit, before } = checked(page, { ...context.query }, 'query');
  const jobs = await userJobs.list(user, { limit: limit + 1, before });
  const shown = jobs.slice(0, limit);
  context.body = { jobs: shown, next: jobs.length > limit ? shown.at(-1)?.id : null };
});

await serve('job service', {
  router,
  port: setting('JOB_PORT', '5002'),
  health: async () => ({ ...(await queue.ping()) }),
});
await queue.close({ deadline: '5s' });
process.exit();
