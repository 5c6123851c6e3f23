/** A worker that one job crashes. It ends with 0 once every other job is done and that job is dead-lettered. */
import { appendFileSync, readFileSync } from 'node:fs';
import { QueueWorker } from '@fit/topology/work';
import { Inspector } from '../../src/amqp/index.ts';
import { QUICK } from '../support/testTopology.ts';

const [amqpUrl = '', managementUrl] = process.argv.slice(2);
const { DONE_PATH: donePath = '', POISON: poison, JOB_COUNT: jobCount } = process.env;

const inspector = await Inspector.open({ url: amqpUrl, label: 'poison worker inspects' });
const worker = await QueueWorker.open({
  declaration: QUICK,
  kind: 'one',
  amqpUrl,
  managementUrl,
  run: ({ delivery }) => {
    if (delivery.messageId === poison) process.abort();
    // At once on disk: the abort of a neighbour must not take it along.
    appendFileSync(donePath, `${delivery.messageId}\n`);
    return { type: 'done', effect: undefined };
  },
});

setInterval(() => void endWhenDone(), 100);

async function endWhenDone(): Promise<void> {
  const done = new Set(readFileSync(donePath, 'utf8').trim().split('\n'));
  const { readyCount } = await inspector.depthOf('one.dead');
  if (done.size < Number(jobCount) - 1 || readyCount === 0 || worker.inFlightCount > 0) return;
  await worker.close();
  await inspector.close();
  process.exit(0);
}
