/**
 * `npm run bench`: the whole job against its floor; `npm run bench -- topology`: the library against bare amqplib;
 * `npm run bench -- observability`: what metrics, logs and traces cost.
 */
import { benchJob } from './benchJob.ts';
import { benchObservability } from './observability/benchObservability.ts';
import { benchTopology } from './topology/benchTopology.ts';

const [word, ...rest] = process.argv.slice(2);
if (word === 'topology') await benchTopology(rest);
else if (word === 'observability') await benchObservability(rest);
else await benchJob(process.argv.slice(2));
