/** The ledger: the accepted jobs, and the job records, workouts and queue depths at the end of a scenario. */
import { WODS_COLLECTION, wodJobOf } from '@fit/contract';
import { connect } from 'amqplib';
import type { Db } from 'mongodb';

export interface Ledger {
  /** `<userId>:<date>` of every job that was accepted. */
  readonly accepted: readonly string[];
  readonly jobs: readonly LedgerJob[];
  /** `<userId>:<date>` of every stored workout, which is its id: the document has no other user or date. */
  readonly workouts: readonly string[];
  /** Dead letters that were stored in the database because they belong to no job. */
  readonly storedDeadLetterCount: number;
  /** Ready messages by queue. */
  readonly depths: Readonly<Record<string, number>>;
}

export interface LedgerJob {
  readonly id: string;
  readonly userId: string;
  readonly date: string;
  readonly state: string;
  readonly generation: number;
  /** The cause of death; undefined unless the job is dead. */
  readonly cause: string | undefined;
  /** Attempts since the last replay. */
  readonly attemptCount: number;
  /** Without the only attempt of a job that succeeded at once. */
  readonly attempts: readonly LedgerAttempt[];
}

export interface LedgerAttempt {
  readonly number: number;
  readonly generation: number;
  readonly outcome: string;
  readonly delayMs?: number;
  readonly startedAt: Date;
  readonly endedAt: Date;
}

interface JobDocument {
  readonly _id: string;
  readonly state: string;
  readonly generation: number;
  readonly death?: { readonly cause: string };
  readonly attemptCount: number;
  readonly attempts?: readonly LedgerAttempt[];
}

export interface LedgerSources {
  readonly database: Db;
  readonly amqpUrl: string;
  readonly queueNames: readonly string[];
  /** `<userId>:<date>` of every job that was accepted, as the caller counted them. */
  readonly accepted: readonly string[];
}

export async function readLedger(sources: LedgerSources): Promise<Ledger> {
  const { database, amqpUrl, queueNames, accepted } = sources;
  const jobs = await database.collection<JobDocument>('jobs').find().toArray();
  const workouts = database.collection<{ readonly _id: string }>(WODS_COLLECTION);
  return {
    accepted,
    jobs: jobs.map(({ _id: id, state, generation, death, attemptCount, attempts = [] }) => ({
      ...wodJobOf({ _id: id }),
      state,
      generation,
      cause: death?.cause,
      attemptCount,
      attempts,
    })),
    workouts: await workouts
      .find({}, { projection: { _id: 1 } })
      .map(({ _id: id }) => id)
      .toArray(),
    storedDeadLetterCount: await database.collection('deadLetters').countDocuments(),
    depths: await readDepths(amqpUrl, queueNames),
  };
}

/** @returns ready messages by queue. @throws Error if one of the queues does not exist. */
export async function readDepths(
  amqpUrl: string,
  queueNames: readonly string[],
): Promise<Record<string, number>> {
  const connection = await connect(amqpUrl);
  try {
    const channel = await connection.createChannel();
    const depths: Record<string, number> = {};
    for (const name of queueNames) depths[name] = (await channel.checkQueue(name)).messageCount;
    return depths;
  } finally {
    await connection.close();
  }
}
