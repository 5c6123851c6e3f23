/** A CommonJS program in TypeScript, which requires the packages as Node does from 22.12 on. It is compiled and never run. */
import topology = require('@fit/topology');
import jobs = require('@fit/jobs');

const declaration: topology.Declaration = topology.declareTopology({
  exchange: 'mail',
  kinds: { send: { key: 'mail.send', queue: 'outbox', tiers: ['5s'] } },
});
const limit: number = jobs.BATCH_LIMIT;
export = { declaration, limit };
