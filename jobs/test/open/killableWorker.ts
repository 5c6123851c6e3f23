/** A process that works on the jobs of `killedWorkers.test.ts` until it is killed. Each result names the attempt that made it. */
import { randomUUID } from 'node:crypto';
import { openJobs } from '@fit/jobs';
import { KILL_KINDS } from './killKinds.ts';

const jobs = await openJobs({
  database: process.env['DATABASE_URL'] ?? '',
  connection: process.env['AMQP_URL'] ?? '',
  kinds: KILL_KINDS,
  tasks: [],
});
await jobs.work('make', ({ key }) => {
  console.log(key);
  return randomUUID();
});
