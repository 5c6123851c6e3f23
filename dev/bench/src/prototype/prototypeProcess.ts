/**
 * The two processes of the bare prototype: `parent|child <PrototypePlace as JSON>`. They do what FIT's monolith and coach do for a
 * run, in the cheapest order and with the same durability, but without metrics, logs, retries, leases or repairs: they show what the
 * work costs, not what is safe.
 */
import { WODS_COLLECTION, wodId } from '@fit/contract';
import { sampleUsers } from '@fit/stack';
import { generateCompactWorkout } from '@fit/workout';
import { type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';
import { type Collection, type Document, MongoClient } from 'mongodb';
import { serveCommands } from '../benchProcess.ts';
import { CountedWait } from '../countedWait.ts';
import type { PrototypePlace } from './measurePrototype.ts';

const QUEUE = 'prototype';
const PAGE_SIZE = 1_000;
const BATCH_SIZE = 500;
const PREFETCH = 2_000;
/** Pages of the parent, and batches of the child. */
const IN_FLIGHT = 3;
/** A batch that is not full is settled after this time. */
const BATCH_DELAY_MS = 20;

type User = ReturnType<typeof sampleUsers>[number];
type StringIds = Document & { readonly _id: string };

interface Message {
  readonly id: string;
  readonly runId: string;
  readonly payload: Parameters<typeof generateCompactWorkout>[0] & { readonly date: string };
}

const [role = '', placeText = ''] = process.argv.slice(2);
const { amqpUrl, mongodbUrl } = JSON.parse(placeText) as PrototypePlace;
const mongo = new MongoClient(mongodbUrl, { writeConcern: { w: 'majority', journal: true } });
const database = mongo.db();
const jobs: Collection<StringIds> = database.collection('jobs');
const wods: Collection<StringIds> = database.collection(WODS_COLLECTION);
const batches: Collection<StringIds> = database.collection('batches');
const runs: Collection<StringIds> = database.collection('runs');
const connection = await connect(amqpUrl, { noDelay: true });
const close = async () => {
  await connection.close();
  await mongo.close();
};
await (role === 'parent' ? serveParent() : serveChild());

async function serveParent(): Promise<void> {
  await jobs.createIndex(
    { stateAt: 1 },
    { partialFilterExpression: { state: { $in: ['waiting', 'running', 'dead'] } } },
    {},
  );
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  serveCommands(
    {
      /** Resolves when all jobs are stored and confirmed. */
      run: async ({ date, count }: { date: string; count: number }) => {
        await runs.insertOne({ _id: date, date, total: count, done: 0 });
        const pages = pagesOf(sampleUsers(count));
        const expandNext = async () => {
          for (let page = pages.shift(); page !== undefined; page = pages.shift())
            await expand(page, date, channel);
        };
        await Promise.all(Array.from({ length: IN_FLIGHT }, expandNext));
      },
    },
    close,
  );
}

function pagesOf(users: readonly User[]): User[][] {
  const sorted = users.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return Array.from({ length: Math.ceil(sorted.length / PAGE_SIZE) }, (_, index) =>
    sorted.slice(index * PAGE_SIZE, (index + 1) * PAGE_SIZE),
  );
}

/** The batch is stored before its jobs and marked after their confirms, so that a page which no one confirmed could be found. */
async function expand(page: readonly User[], date: string, channel: ConfirmChannel): Promise<void> {
  const now = new Date();
  const records = page.map(({ id: userId, level, equipment }) => ({
    _id: `createWod:${userId}:${date}`,
    state: 'pending',
    stateAt: now,
    generation: 1,
    runId: date,
    payload: { userId, date, level, equipment, exclusions: [] },
  }));
  const batchId = `${date}:${page[0]?.id ?? ''}`;
  const ids = records.map(({ _id }) => _id);
  await batches.insertOne({ _id: batchId, runId: date, state: 'open', ids });
  await jobs.insertMany(records, { ordered: false });
  await new Promise<void>((resolve, reject) => {
    let confirmedCount = 0;
    for (const { _id: id, runId, payload } of records) {
      const body = Buffer.from(JSON.stringify({ id, runId, payload }));
      const properties = { persistent: true, messageId: id, contentType: 'application/json' };
      channel.publish('', QUEUE, body, properties, (error: unknown) => {
        if (error) reject(new Error('the broker nacked a message', { cause: error }));
        confirmedCount += 1;
        if (confirmedCount === records.length) resolve();
      });
    }
  });
  await batches.updateOne({ _id: batchId }, { $set: { state: 'published' } });
}

interface Delivery {
  readonly message: Message;
  readonly delivered: ConsumeMessage;
}

async function serveChild(): Promise<void> {
  const done = new CountedWait();
  const channel = await connection.createChannel();
  await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.prefetch(PREFETCH);
  let pending: Delivery[] = [];
  let inFlightCount = 0;
  let timer: NodeJS.Timeout | undefined;
  const settleNext = () => {
    clearTimeout(timer);
    timer = undefined;
    if (pending.length === 0 || inFlightCount === IN_FLIGHT) return;
    const batch = pending.slice(0, BATCH_SIZE);
    pending = pending.slice(BATCH_SIZE);
    inFlightCount += 1;
    void settle(batch)
      .then(() => {
        for (const { delivered } of batch) channel.ack(delivered);
        done.add(batch.length);
      })
      .finally(() => {
        inFlightCount -= 1;
        if (pending.length >= BATCH_SIZE) settleNext();
        else timer ??= setTimeout(settleNext, BATCH_DELAY_MS);
      });
  };
  await channel.consume(QUEUE, (delivered) => {
    if (delivered === null) return;
    pending.push({ message: JSON.parse(delivered.content.toString()) as Message, delivered });
    if (pending.length >= BATCH_SIZE) settleNext();
    else timer ??= setTimeout(settleNext, BATCH_DELAY_MS);
  });
  serveCommands(
    {
      /** @returns Unix time in milliseconds at which so many more jobs were done. */
      work: async ({ count }: { count: number }) => await done.next(count),
    },
    close,
  );
}

/** Two writers that take the same ids in different orders can block each other on the native database, so ids are sorted. */
async function settle(batch: readonly Delivery[]): Promise<void> {
  const messages = batch.map(({ message }) => message).sort((a, b) => (a.id < b.id ? -1 : 1));
  const storedAt = new Date();
  const documents = messages.map(({ payload }) => ({
    _id: wodId(payload.userId, payload.date),
    storedAt,
    ...generateCompactWorkout(payload, payload.date),
  }));
  await wods.insertMany(documents, { ordered: false });
  await jobs.updateMany(
    { _id: { $in: messages.map(({ id }) => id) }, state: 'pending', generation: 1 },
    [{ $set: { state: 'done', stateAt: '$$NOW', doneAt: '$$NOW', attemptCount: 1 } }],
  );
  for (const [runId, group] of Map.groupBy(messages, (message) => message.runId))
    await runs.updateOne({ _id: runId }, { $inc: { done: group.length } });
}
