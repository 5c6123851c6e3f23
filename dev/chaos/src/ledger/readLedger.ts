/** Reads the ledger from the database and, by passive declares, from the broker. */
import { connect } from 'amqplib';
import type { Db } from 'mongodb';
import type { Ledger, LedgerAttempt, LedgerJob } from './ledger.ts';

interface JobDocument {
  readonly _id: string;
  readonly key: { readonly userId: string; readonly date: string };
  readonly state: string;
  readonly generation: number;
  readonly death?: { readonly cause: string };
  readonly attempts: readonly LedgerAttempt[];
}

interface WodKey {
  readonly userId: string;
  readonly date: string;
}

export async function readLedger(
  database: Db,
  amqpUrl: string,
  {
    accepted,
    queues,
  }: { readonly accepted: readonly string[]; readonly queues: readonly string[] },
): Promise<Ledger> {
  const jobs = await database.collection<JobDocument>('jobs').find().toArray();
  const wods = await database.collection('wods').find<WodKey>({}).toArray();
  return {
    accepted,
    jobs: jobs.map(toJob),
    wods: wods.map(({ userId, date }) => `${userId}:${date}`),
    letterCount: await database.collection('deadLetters').countDocuments(),
    depths: await readDepths(amqpUrl, queues),
  };
}

export async function readDepths(
  amqpUrl: string,
  queues: readonly string[],
): Promise<Record<string, number>> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createChannel();
  const depths: Record<string, number> = {};
  for (const queue of queues) depths[queue] = (await channel.checkQueue(queue)).messageCount;
  await connection.close();
  return depths;
}

function toJob({ _id: id, key, state, generation, death, attempts }: JobDocument): LedgerJob {
  const { userId, date } = key;
  return { id, userId, date, state, generation, cause: death?.cause, attempts };
}
