/** A worker whose messages fail. In its first life it is killed between the notes of two messages and their rejection. */
import { QueueWorker } from '@fit/topology/work';
import { QUICK } from '../support/testTopology.ts';

const [amqpUrl = '', managementUrl] = process.argv.slice(2);
const { LIFE: life = '' } = process.env;
let notedCount = 0;

await QueueWorker.open({
  declaration: QUICK,
  kind: 'one',
  amqpUrl,
  managementUrl,
  circuitBreaker: false,
  run: ({ delivery }) => {
    if (life === 'second' && delivery.messageId === 'heals') return { type: 'done' };
    throw new RangeError(`failed in the ${life} life`);
  },
  settle: ({ step, settleDelivery }) => {
    if (life === 'second' || step.type !== 'exhaust') {
      settleDelivery();
      return;
    }
    notedCount += 1;
    if (notedCount === 2) process.kill(process.pid, 'SIGKILL');
  },
});
