/**
 * Graphile Worker with the settings of its page on performance (https://worker.graphile.org/docs/performance): 24 concurrent jobs, a
 * local queue of 500, and batched completion.
 */
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { Pool, type PoolConfig } from 'pg';
import { JOB_KIND, type Peer } from './peer.ts';

const CONCURRENCY = 24;
const COLLECTED_CONCURRENCY = 500;
const LOCAL_QUEUE_SIZE = 500;
const POOL_SIZE = 25;
const ENQUEUED_AT_ONCE = 1_000;

const silent = new Logger(() => () => undefined);

export const graphileWorker: Peer = {
  name: 'Graphile Worker 0.18.0',
  prepare: async ({ database }) => {
    const pgPool = openPool(database);
    const utils = await makeWorkerUtils({ pgPool, logger: silent });
    await utils.migrate();
    await utils.release();
    await pgPool.end();
  },
  openProducer: async ({ database }) => {
    const pgPool = openPool(database);
    const utils = await makeWorkerUtils({ pgPool, logger: silent });
    return {
      enqueue: async (payloads) => {
        for (let index = 0; index < payloads.length; index += ENQUEUED_AT_ONCE)
          await utils.addJobs(
            payloads.slice(index, index + ENQUEUED_AT_ONCE).map((payload) => ({
              identifier: JOB_KIND,
              payload,
            })),
          );
      },
      close: async () => {
        await utils.release();
        await pgPool.end();
      },
    };
  },
  openWorker: async ({ database }, work, isCollected) => {
    const pgPool = openPool({ ...database, max: POOL_SIZE });
    const runner = await run({
      pgPool,
      logger: silent,
      noHandleSignals: true,
      parsedCronItems: [],
      taskList: { [JOB_KIND]: (payload) => work.one(payload as never) },
      preset: {
        worker: {
          concurrentJobs: isCollected ? COLLECTED_CONCURRENCY : CONCURRENCY,
          maxPoolSize: POOL_SIZE,
          localQueue: { size: LOCAL_QUEUE_SIZE },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
    });
    return async () => {
      await runner.stop();
      await pgPool.end();
    };
  },
};

/** Graphile Worker warns about a pool without a listener for errors. */
function openPool(config: PoolConfig): Pool {
  const pool = new Pool(config);
  const report = (error: Error) => process.stderr.write(`Graphile Worker: ${error.message}\n`);
  pool.on('error', report);
  pool.on('connect', (client) => client.on('error', report));
  return pool;
}
