/**
 * The consumer service: simulates the work of tasks, reports by REST, and reads the dead-letter queue. It has no access to the
 * database.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  createConnection,
  createDeadLetterWorker,
  createWorker,
  discard,
  hold,
  reject,
} from '@fit/topology';
import { MainService, MainServiceDown } from './mainServiceClient.ts';
import { setting, whenStopped } from './process.ts';
import { board } from './topology.ts';

const amqpUrl = setting('AMQP_URL');
const failureShare = Number(setting('FAILURE_SHARE', '0.2'));
const workMs = Number(setting('WORK_MS', '500'));
const concurrency = Number(setting('CONCURRENCY', '5'));
if (!(failureShare >= 0 && failureShare <= 1)) throw new Error('FAILURE_SHARE must be 0 to 1');
if (!(workMs >= 0)) throw new Error('WORK_MS must be at least 0');

class WorkFailed extends Error {}

const mainService = new MainService(setting('MAIN_URL', 'http://127.0.0.1:8080'));
const connection = await createConnection({ url: amqpUrl, connectTimeout: 'forever' });

await createWorker({
  connection,
  topology: board,
  queue: 'tasks',
  concurrency,
  breaker: { pause: '200ms' },
  handler: async ({ body: { id }, signal }) => {
    const task = await mainService.findTask(id, signal);
    if (task === undefined) return discard('there is no such task');
    // The message came twice, or a worker was killed after its report.
    if (task.status !== 'sent') return discard(`the task is '${task.status}'`);
    await pause(workMs, undefined, { signal });
    if (Math.random() < failureShare) return reject(new WorkFailed('the simulated work failed'));
    await mainService.report(id, 'success', signal);
    return undefined;
  },
  // An outage of the main service is no failure of the task: no attempt is spent, and consuming pauses.
  onError: (error) => (error instanceof MainServiceDown ? hold(error) : undefined),
});

// Reports first; the letter is deleted afterwards: killed in between, it is read again, and the second report changes nothing.
// While the main service is down the report throws, so the letter stays and is read again after a pause.
await createDeadLetterWorker({
  connection,
  topology: board,
  queue: 'tasks',
  concurrency,
  handler: async (letter, { signal }) => {
    if (letter.isReadable) await mainService.report(letter.body.id, 'error', signal);
    else console.error('consumer: dropped a dead letter that has no id of a task');
  },
});
console.log('consumer: ready');
await whenStopped();
await connection.close({ deadline: '5s' });
process.exit();
