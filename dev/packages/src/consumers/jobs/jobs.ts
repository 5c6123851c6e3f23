/**
 * A program that owns @fit/jobs and nothing of FIT: a job is done, one is tried again, and one is dead, replayed and done. It
 * prints each end as a line.
 */
import { openJobs } from '@fit/jobs';
import { reject } from '@fit/topology';
import { MongoClient } from 'mongodb';
import { z } from 'zod';

const databaseUrl = process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/letters';
const known = new Set(['ann', 'bob']);
class Unknown extends Error {}

const jobs = await openJobs({
  database: databaseUrl,
  connection: process.env['AMQP_URL'] ?? 'amqp://127.0.0.1',
  kinds: {
    greet: {
      payload: z.object({ name: z.string() }),
      result: z.object({ text: z.string() }),
      retry: { delays: ['100ms', '1s'] },
    },
  },
});
await jobs.work(
  'greet',
  ({ payload: { name }, attempt }) => {
    if (!known.has(name)) throw new Unknown(`who is ${name}?`);
    if (name === 'bob' && attempt.number === 1) throw new Error('busy');
    return { text: `hello, ${name}` };
  },
  { onError: (error) => (error instanceof Unknown ? reject(error) : undefined) },
);

const end = async (id: string): Promise<string> => {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const job = await jobs.get(id);
    if (job?.state === 'done' || job?.state === 'dead' || Date.now() > deadline)
      return `${id} ${job?.state} ${job?.attempts} ${job?.error ?? JSON.stringify(job?.result)}`;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
for (const name of ['ann', 'bob', 'cleo'])
  console.log(await end((await jobs.enqueue('greet', { name }, { key: name })).id));
known.add('cleo');
await jobs.replay({ kind: 'greet' });
console.log(await end('greet:cleo'));
await jobs.close({ deadline: '5s' });

const client = await new MongoClient(databaseUrl).connect();
await client.db().dropDatabase();
await client.close();
