/** A worker that is killed after it has published a dead letter, and before it acknowledges the message. */
import { createWorker, reject } from '@fit/topology';
import { MAIL } from './deadMail.ts';

const [connection = ''] = process.argv.slice(2);
await createWorker({
  connection,
  topology: MAIL,
  queue: 'outbox',
  handler: () => reject(new Error('killed')),
  settle: () => {
    process.kill(process.pid, 'SIGKILL');
  },
});
