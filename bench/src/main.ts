/** `npm run bench`: the whole job against its floor; `npm run bench -- topology`: the library against bare amqplib. */
import { benchJob } from './benchJob.ts';
import { benchTopology } from './topology/benchTopology.ts';

const [word, ...rest] = process.argv.slice(2);
await (word === 'topology' ? benchTopology(rest) : benchJob(process.argv.slice(2)));
