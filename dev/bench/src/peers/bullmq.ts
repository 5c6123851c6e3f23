/**
 * BullMQ on a Redis that writes every command to the disk before it answers. Jobs are added in bulk and removed when they are
 * completed. Many of them are in progress at a time, since each waits for the database.
 */
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { JOB_KIND, type Peer, type PeerPlace, type WorkoutPayload } from './peer.ts';

const CONCURRENCY = 50;
const COLLECTED_CONCURRENCY = 500;
const ENQUEUED_AT_ONCE = 1_000;

export const bullmq: Peer = {
  name: 'BullMQ 6.7.0',
  prepare: async (place) => {
    const redis = connect(place);
    await redis.flushall();
    await redis.quit();
  },
  openProducer: async (place) => {
    const queue = new Queue<WorkoutPayload>(JOB_KIND, { connection: connect(place) });
    await queue.waitUntilReady();
    return {
      enqueue: async (payloads) => {
        for (let index = 0; index < payloads.length; index += ENQUEUED_AT_ONCE)
          await queue.addBulk(
            payloads.slice(index, index + ENQUEUED_AT_ONCE).map((data) => ({
              name: JOB_KIND,
              data,
              opts: { removeOnComplete: true },
            })),
          );
      },
      close: () => queue.close(),
    };
  },
  openWorker: async (place, work, isCollected) => {
    const worker = new Worker<WorkoutPayload>(JOB_KIND, ({ data }) => work.one(data), {
      connection: connect(place),
      concurrency: isCollected ? COLLECTED_CONCURRENCY : CONCURRENCY,
    });
    await worker.waitUntilReady();
    return () => worker.close();
  },
};

/** BullMQ requires that a command is repeated until it is answered. */
function connect({ redisSocket }: PeerPlace): Redis {
  return new Redis({ path: redisSocket, maxRetriesPerRequest: null });
}
