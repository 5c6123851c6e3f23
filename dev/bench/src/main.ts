/**
 * `npm run bench`: the whole job against its floor; `npm run bench -- topology`: the library against bare amqplib;
 * `npm run bench -- observability`: what metrics, logs and traces cost; `npm run bench -- connection-loss`: what a lost
 * connection costs a worker.
 */
import { isWrongOption } from '@fit/stack';
import { benchJob } from './benchJob.ts';
import { benchConnectionLoss } from './connectionLoss/benchConnectionLoss.ts';
import { benchObservability } from './observability/benchObservability.ts';
import { UsageError } from './readCount.ts';
import { benchTopology } from './topology/benchTopology.ts';

const [word, ...rest] = process.argv.slice(2);
try {
  if (word === 'topology') await benchTopology(rest);
  else if (word === 'observability') await benchObservability(rest);
  else if (word === 'connection-loss') await benchConnectionLoss(rest);
  else await benchJob(process.argv.slice(2));
} catch (error) {
  if (!isUsage(error)) throw error;
  process.stderr.write(`${error.message}\nnpm run bench -- --help lists the options.\n`);
  process.exitCode = 2;
}

function isUsage(error: unknown): error is Error {
  return error instanceof UsageError || isWrongOption(error);
}
