/** The floor: the same messages and the same documents, bare, one after the other. Nothing can be kept safe for less. */
import { type Channel, connect } from 'amqplib';
import type { Db, Document } from 'mongodb';
import { rate } from './statistics.ts';

export interface FloorFigures {
  readonly publishMs: number;
  readonly consumeMs: number;
  readonly writeMs: number;
  readonly perSecond: number;
}

export interface FloorOptions {
  readonly amqpUrl: string;
  readonly database: Db;
  /** Day whose jobs and workouts are taken as the sample. */
  readonly date: string;
}

const QUEUE = 'bench.floor';
const WINDOW = 1_000;
const PREFETCH = 250;
const BATCH = 1_000;

export async function measureFloor(options: FloorOptions): Promise<FloorFigures> {
  const { amqpUrl, database, date } = options;
  const jobs = await database.collection('jobs').find({ 'key.date': date }).toArray();
  const wods = await database.collection('wods').find({ date }).toArray();
  const bodies = jobs.map((job) => Buffer.from(JSON.stringify(messageOf(job))));
  const connection = await connect(amqpUrl, { noDelay: true });
  const publishMs = await timed(() => publishAll(connection, bodies));
  const consumeMs = await timed(() => consumeAll(connection, bodies.length));
  const cleaner = await connection.createChannel();
  await cleaner.deleteQueue(QUEUE);
  await connection.close();
  const writeMs = await timed(async () => {
    await insertAll(database, 'floorJobs', jobs);
    await insertAll(database, 'floorWods', wods);
  });
  await database.dropCollection('floorJobs');
  await database.dropCollection('floorWods');
  const perSecond = rate(jobs.length, publishMs + consumeMs + writeMs);
  return { publishMs, consumeMs, writeMs, perSecond };
}

function messageOf(job: Document): object {
  const { _id: id, kind, generation, payload } = job;
  return {
    version: 1,
    id: id as unknown,
    kind: kind as unknown,
    generation: generation as unknown,
    payload: payload as unknown,
  };
}

type Connection = Awaited<ReturnType<typeof connect>>;

async function publishAll(connection: Connection, bodies: readonly Buffer[]): Promise<void> {
  const channel = await connection.createConfirmChannel();
  await assertFloorQueue(channel);
  for (let index = 0; index < bodies.length; index += WINDOW) {
    for (const body of bodies.slice(index, index + WINDOW))
      channel.publish('', QUEUE, body, { persistent: true, mandatory: true });
    await channel.waitForConfirms();
  }
  await channel.close();
}

async function consumeAll(connection: Connection, count: number): Promise<void> {
  const channel = await connection.createChannel();
  await channel.prefetch(PREFETCH);
  await new Promise<void>((resolve, reject) => {
    let seen = 0;
    channel
      .consume(QUEUE, (message) => {
        if (message === null) return;
        channel.ack(message);
        seen += 1;
        if (seen === count) resolve();
      })
      .catch(reject);
  });
  await channel.close();
}

async function assertFloorQueue(channel: Channel): Promise<void> {
  await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
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
