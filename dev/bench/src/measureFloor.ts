/**
 * The work that no job system can avoid, one step after the other: the messages of a run published with confirms, then consumed,
 * then its job records and workouts inserted in bulk.
 */
import { WODS_COLLECTION, type WodDocument, wodIdsOf } from '@fit/contract';
import { type ChannelModel, connect } from 'amqplib';
import type { Db, Document } from 'mongodb';
import { rate } from './statistics.ts';

export interface FloorFigures {
  readonly publishMs: number;
  readonly consumeMs: number;
  readonly insertMs: number;
  readonly jobsPerSecond: number;
}

export interface FloorOptions {
  readonly amqpUrl: string;
  readonly database: Db;
  /** The day of the run whose records and workouts are inserted again, into other collections. */
  readonly date: string;
}

const QUEUE = 'bench.floor';
const UNCONFIRMED = 1_000;
const PREFETCH = 250;
const BATCH = 1_000;

export async function measureFloor({
  amqpUrl,
  database,
  date,
}: FloorOptions): Promise<FloorFigures> {
  const workouts = await database
    .collection<WodDocument>(WODS_COLLECTION)
    .find({ _id: wodIdsOf(date) })
    .toArray();
  const ids = workouts.map(({ _id: id }) => `createWod:${id}` as never);
  const jobRecords = await database
    .collection('jobs')
    .find({ _id: { $in: ids } })
    .toArray();
  if (jobRecords.length === 0 || jobRecords.length !== workouts.length)
    throw new Error(`${workouts.length} workouts of ${date}, but ${jobRecords.length} jobs`);
  const bodies = jobRecords.map((record) => Buffer.from(JSON.stringify(messageOf(record))));
  const connection = await connect(amqpUrl, { noDelay: true });
  const publishMs = await timed(() => publishAll(connection, bodies));
  const consumeMs = await timed(() => consumeAll(connection, bodies.length));
  await connection.close();
  const insertMs = await timed(async () => {
    await insertAll(database, 'floorJobs', jobRecords);
    await insertAll(database, 'floorWorkouts', workouts);
  });
  const jobsPerSecond = rate(jobRecords.length, publishMs + consumeMs + insertMs);
  return { publishMs, consumeMs, insertMs, jobsPerSecond };
}

/** What every message of a job must contain, whatever else its record has. */
function messageOf(record: Document): object {
  return {
    version: 1,
    id: record['_id'] as unknown,
    kind: record['kind'] as unknown,
    generation: record['generation'] as unknown,
    payload: record['payload'] as unknown,
  };
}

async function publishAll(connection: ChannelModel, bodies: readonly Buffer[]): Promise<void> {
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  for (let index = 0; index < bodies.length; index += UNCONFIRMED) {
    for (const body of bodies.slice(index, index + UNCONFIRMED))
      channel.publish('', QUEUE, body, { persistent: true, mandatory: true });
    await channel.waitForConfirms();
  }
  await channel.close();
}

async function consumeAll(connection: ChannelModel, count: number): Promise<void> {
  const channel = await connection.createChannel();
  await channel.prefetch(PREFETCH);
  await new Promise<void>((resolve, reject) => {
    let consumedCount = 0;
    channel
      .consume(QUEUE, (message) => {
        if (message === null) return;
        channel.ack(message);
        consumedCount += 1;
        if (consumedCount === count) resolve();
      })
      .catch(reject);
  });
  await channel.close();
}

async function insertAll(
  database: Db,
  name: string,
  documents: readonly Document[],
): Promise<void> {
  const collection = database.collection(name);
  for (let index = 0; index < documents.length; index += BATCH)
    await collection.insertMany(documents.slice(index, index + BATCH), { ordered: false });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return Math.round(performance.now() - startedAt);
}
