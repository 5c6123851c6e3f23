/** A process of a peer, started by `measurePeer.ts`: `<contender> producer|worker <PeerPlace as JSON>`. */

import { sampleUsers } from '@fit/stack';
import { generateCompactWorkout } from '@fit/workout';
import { Pool } from 'pg';
import { serveCommands } from '../benchProcess.ts';
import { CountedWait } from '../countedWait.ts';
import { CONTENDERS, type ContenderId } from './index.ts';
import type { Peer, PeerPlace, Work, WorkoutPayload } from './peer.ts';
import { type StoredWorkout, WorkoutTable } from './workoutTable.ts';

/** As many inserts at a time as Graphile Worker runs jobs by default of its page on performance. */
const POOL_SIZE = 25;

const [id = '', role = '', placeText = ''] = process.argv.slice(2);
const { peer: contender, isCollected } = CONTENDERS[id as ContenderId];
const place = JSON.parse(placeText) as PeerPlace;
await (role === 'producer' ? serveProducer(contender) : serveWorker(contender));

async function serveProducer(peer: Peer): Promise<void> {
  const producer = await peer.openProducer(place);
  serveCommands(
    {
      enqueue: async ({ date, count }: { date: string; count: number }) => {
        const payloads = sampleUsers(count).map(
          ({ id: userId, level, equipment }) =>
            ({ userId, date, level, equipment, exclusions: [] }) as unknown as WorkoutPayload,
        );
        await producer.enqueue(payloads);
      },
    },
    () => producer.close(),
  );
}

async function serveWorker(peer: Peer): Promise<void> {
  const pool = new Pool({ ...place.database, max: POOL_SIZE });
  const stored = new CountedWait();
  const table = new WorkoutTable(pool, (count) => {
    stored.add(count);
  });
  const work: Work = {
    one: (payload) =>
      isCollected
        ? table.insertInBatch(workoutOf(payload))
        : table.insertMany([workoutOf(payload)]),
    many: (payloads) => table.insertMany(payloads.map(workoutOf)),
  };
  const close = await peer.openWorker(place, work, isCollected);
  serveCommands(
    {
      /** @returns Unix time in milliseconds at which so many more workouts were stored. */
      store: async ({ count }: { count: number }) => await stored.next(count),
    },
    async () => {
      await close();
      await pool.end();
    },
  );
}

function workoutOf(payload: WorkoutPayload): StoredWorkout {
  const { userId, date } = payload;
  return {
    userId,
    date,
    document: { storedAt: new Date(), ...generateCompactWorkout(payload, date) },
  };
}
