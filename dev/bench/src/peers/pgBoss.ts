/**
 * pg-boss with batches: one insert of jobs and one insert of workouts for each. `burstWhenBatchFull` fetches again at once while
 * batches are full; without it a worker waits half a second at least between two of them.
 */
import { PgBoss } from 'pg-boss';
import { JOB_KIND, type Peer, type PeerPlace, type WorkoutPayload } from './peer.ts';

const BATCH_SIZE = 500;
/** Two workers in the process: one fetches while the other one stores. */
const WORKERS = 2;
const ENQUEUED_AT_ONCE = 1_000;
const POLLING_SECONDS = 0.5;

export const pgBoss: Peer = {
  name: 'pg-boss 12.38.0',
  prepare: async (place) => {
    const boss = await open(place, true);
    await boss.createQueue(JOB_KIND, { notify: true });
    await boss.stop();
  },
  openProducer: async (place) => {
    const boss = await open(place, false);
    return {
      enqueue: async (payloads) => {
        for (let index = 0; index < payloads.length; index += ENQUEUED_AT_ONCE)
          await boss.insert(
            JOB_KIND,
            payloads.slice(index, index + ENQUEUED_AT_ONCE).map((data) => ({ data })),
          );
      },
      close: () => boss.stop(),
    };
  },
  openWorker: async (place, work) => {
    const boss = await open(place, true);
    await boss.work<WorkoutPayload>(
      JOB_KIND,
      {
        batchSize: BATCH_SIZE,
        localConcurrency: WORKERS,
        pollingIntervalSeconds: POLLING_SECONDS,
        burstWhenBatchFull: true,
      },
      async (jobs) => {
        await work.many(jobs.map(({ data }) => data));
      },
    );
    return () => boss.stop();
  },
};

/** @param isWorker the producer needs neither supervision nor schedules nor notifications. */
async function open({ database }: PeerPlace, isWorker: boolean): Promise<PgBoss> {
  const boss = new PgBoss({
    ...database,
    schedule: false,
    supervise: isWorker,
    useListenNotify: isWorker,
  });
  boss.on('error', (error) => {
    process.stderr.write(`pg-boss: ${error.message}\n`);
  });
  await boss.start();
  return boss;
}
