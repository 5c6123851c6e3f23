/** Runs jobs, those of higher priorities first. */
import { setTimeout as pause } from 'node:timers/promises';
import { reject } from '@fit/topology';
import { loadTypes } from './jobType.ts';
import { setting, whenStopped } from './process.ts';
import { openQueue } from './queue.ts';

const prefetchCount = Number(setting('PREFETCH_COUNT', '10'));
const workMs = Number(setting('WORK_MS', '0'));
if (!(Number.isInteger(prefetchCount) && prefetchCount >= 1))
  throw new Error('PREFETCH_COUNT must be a whole number of at least 1');
if (!(workMs >= 0)) throw new Error('WORK_MS must be at least 0');

/** The worker is older than the job service that accepted the job, or the payload is none of its type. */
class CannotRun extends Error {}

const types = await loadTypes(setting('MORE_TYPES', ''));
const queue = await openQueue({
  database: setting('MONGODB_URL'),
  connection: setting('AMQP_URL'),
  tasks: [],
});
await queue.work(
  'task',
  async ({ payload: { type: name, payload }, signal }) => {
    const type = types.get(name);
    if (type === undefined) throw new CannotRun(`this worker has no type '${name}'`);
    const checked = type.payload.safeParse(payload);
    if (!checked.success) throw new CannotRun(checked.error.message);
    await pause(workMs, undefined, { signal });
    return await type.run(checked.data, signal);
  },
  {
    // A message that waits in this process would keep other workers from it.
    concurrency: prefetchCount,
    prefetch: prefetchCount,
    onError: (error) => (error instanceof CannotRun ? reject(error) : undefined),
  },
);
console.log('worker: ready');
await whenStopped();
await queue.close({ deadline: '10s' });
process.exit();
