/**
 * pg-boss with batches: one insert of jobs and one insert of workouts for each. `burstWhenBatchFull` fetches again at once while
 * batches are full; without it a worker waits half a second at least between two of them.
 */
import { type Job, PgBoss } from 'pg-boss';
import { JOB_KIND, type Peer, type PeerPlace, type WorkoutPayload } from './peer.ts';

const BATCH_SIZE = 500;
/** Two workers in the process: one fetches while the other one stores. */
const WORKERS = 2;
const ENQUEUED_AT_ONCE = 1_000;
const POLLING_SECONDS = 0.5;

/** At its fastest: a job that fails fails its whole batch, and a second job for the same user and date is accepted. */
export const pgBoss: Peer = peerOf(false);

/** With two guarantees of FIT: each job has an outcome of its own, and a waiting or active one refuses a second one of its key. */
export const pgBossWithKeys: Peer = peerOf(true);

function peerOf(hasKeys: boolean): Peer {
  return {
    name: hasKeys ? 'pg-boss 12.38.0, with keys and an outcome of each job' : 'pg-boss 12.38.0',
    prepare: async (place) => {
      const boss = await open(place, true);
      await boss.createQueue(JOB_KIND, {
        notify: true,
        ...(hasKeys ? { policy: 'exclusive' } : {}),
      });
      await boss.stop();
    },
    openProducer: async (place) => {
      const boss = await open(place, false);
      const jobOf = (data: WorkoutPayload) => ({
        data,
        ...(hasKeys ? { singletonKey: `${data.userId}:${data.date}` } : {}),
      });
      return {
        enqueue: async (payloads) => {
          for (let index = 0; index < payloads.length; index += ENQUEUED_AT_ONCE)
            await boss.insert(JOB_KIND, payloads.slice(index, index + ENQUEUED_AT_ONCE).map(jobOf));
        },
        close: () => boss.stop(),
      };
    },
    openWorker: async (place, work) => {
      const boss = await open(place, true);
      const options = {
        batchSize: BATCH_SIZE,
        localConcurrency: WORKERS,
        pollingIntervalSeconds: POLLING_SECONDS,
        burstWhenBatchFull: true,
      };
      const store = (jobs: readonly Job<WorkoutPayload>[]) =>
        work.many(jobs.map(({ data }) => data));
      if (hasKeys)
        await boss.work<WorkoutPayload>(
          JOB_KIND,
          { ...options, perJobResults: true },
          async (jobs) => {
            await store(jobs);
            return jobs.map(({ id }) => ({ id, status: 'completed' as const }));
          },
        );
      else await boss.work<WorkoutPayload>(JOB_KIND, options, store);
      return () => boss.stop();
    },
  };
}

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
