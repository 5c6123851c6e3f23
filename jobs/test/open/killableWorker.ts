/**
 * A process that works on the jobs of `killedWorkers.test.ts` until it is killed. Each result names the attempt that made it. With
 * `HELD_REST` it never ends the attempts at jobs whose number leaves this rest, so that it is killed in the middle of them.
 */
import { randomUUID } from 'node:crypto';
import { openJobs } from '@fit/jobs';
import { HELD_DIVISOR, KILL_KINDS } from './killKinds.ts';

const rest = process.env['HELD_REST'];
const jobs = await openJobs({
  database: process.env['DATABASE_URL'] ?? '',
  connection: process.env['AMQP_URL'] ?? '',
  kinds: KILL_KINDS,
  tasks: [],
});
await jobs.work('make', async ({ key }) => {
  const isHeld = rest !== undefined && Number(key) % HELD_DIVISOR === Number(rest);
  console.log(`${isHeld ? 'held' : 'begun'} ${key}`);
  // The connection to the broker keeps the process running.
  if (isHeld) await new Promise(() => undefined);
  return randomUUID();
});
