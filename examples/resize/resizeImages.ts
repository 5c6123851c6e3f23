/** Durable jobs in one file: a result is read, a busy file is tried again, a missing one is dead and replayed, one is cancelled. */
import { setTimeout as pause } from 'node:timers/promises';
import { openJobs } from '@fit/jobs';
import { reject } from '@fit/topology';
import * as z from 'zod';

class NoSuchFile extends Error {}
const files = new Set(['cat.png', 'busy.png']);

await using jobs = await openJobs({
  database: process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/shop',
  connection: process.env['AMQP_URL'] ?? 'amqp://127.0.0.1',
  prefix: 'images_',
  kinds: {
    resize: {
      payload: z.object({ file: z.string(), width: z.int().positive() }),
      result: z.object({ thumbnail: z.string() }),
      retry: { delays: ['100ms', '1s'] },
      priorities: ['normal', 'high'],
    },
  },
});
await jobs.work(
  'resize',
  ({ payload: { file, width }, attempt }) => {
    if (!files.has(file)) throw new NoSuchFile(`there is no ${file}`);
    if (file === 'busy.png' && !attempt.isLast) throw new Error('the disk is busy');
    return { thumbnail: `${width}-${file}` };
  },
  { concurrency: 4, onError: (error) => (error instanceof NoSuchFile ? reject(error) : undefined) },
);

const ended = async (id: string) => {
  for (;;) {
    const job = await jobs.get(id);
    if (job?.state === 'done' || job?.state === 'dead') return job;
    await pause(100);
  }
};
const resize = async (file: string, options = {}) =>
  (await jobs.enqueue('resize', { file, width: 64 }, { key: file, ...options })).id;
const show = async (id: string) => {
  const { state, attempts, result, error } = await ended(id);
  console.log(id, state, attempts, result?.thumbnail ?? error);
};

await show(await resize('cat.png', { priority: 'high' }));
await show(await resize('busy.png'));
await show(await resize('dog.png'));
files.add('dog.png');
console.log(await jobs.replay({ kind: 'resize', error: 'there is no' }));
await show('resize:dog.png');
console.log('cancelled', await jobs.cancel(await resize('later.png', { delay: '1h' })));
