/** All collections of jobs over one database, with the database's clock and the key of messages. */
import type { MessageSigner } from '../record/messageSignature.ts';
import { BatchStore } from './batchStore.ts';
import { CancellationStore } from './cancellationStore.ts';
import type { StoreDatabase } from './connectStore.ts';
import { DatabaseClock } from './databaseClock.ts';
import { DeadJobStore } from './deadJobStore.ts';
import { DeadLetterStore } from './deadLetterStore.ts';
import { JobStore } from './jobStore.ts';
import { LeaseStore } from './leaseStore.ts';
import { loadMessageSigner } from './messageKey.ts';
import { ResultStore } from './resultStore.ts';
import { RunStore } from './runStore.ts';
import { BACKGROUND_LIMITS, type StatementLimits } from './statement.ts';
import { WorkerStore } from './workerStore.ts';

export interface JobStores {
  readonly jobs: JobStore;
  /** Dead records of the same collection, for replays. */
  readonly dead: DeadJobStore;
  readonly runs: RunStore;
  readonly batches: BatchStore;
  readonly workers: WorkerStore;
  readonly deadLetters: DeadLetterStore;
  readonly leases: LeaseStore;
  readonly cancellations: CancellationStore;
  readonly results: ResultStore;
  readonly clock: DatabaseClock;
  readonly signer: MessageSigner;
}

/** An addition to a counter is tried once, because a repeated one may count twice. */
const COUNT_LIMITS: StatementLimits = { ...BACKGROUND_LIMITS, tryCount: 1 };

/** Reads the clock and the key of a database whose schema is known to be the right one. @throws StoreUnavailable, StatementRefused */
export async function openJobStores(database: StoreDatabase): Promise<JobStores> {
  const clock = new DatabaseClock(database);
  await clock.start();
  return { ...storesOf(database, clock), signer: await loadMessageSigner(database) };
}

/**
 * @returns the same stores for background tasks, whose statements have limits that end before a lease does.
 * @param database the database that `stores` was opened with.
 */
export function backgroundStores(database: StoreDatabase, stores: JobStores): JobStores {
  return {
    ...storesOf(database.withLimits(BACKGROUND_LIMITS), stores.clock),
    signer: stores.signer,
  };
}

/** @returns the store of runs whose additions to counters are tried once. */
export function countingRunStore(database: StoreDatabase, { clock }: JobStores): RunStore {
  return new RunStore(database.withLimits(COUNT_LIMITS), clock);
}

/** Creates every index. A large collection without its index takes long. */
export async function ensureIndexes({
  jobs,
  runs,
  batches,
  workers,
  deadLetters,
}: JobStores): Promise<void> {
  await jobs.ensureIndexes();
  await runs.ensureIndexes();
  await batches.ensureIndexes();
  await workers.ensureIndexes();
  await deadLetters.ensureIndexes();
}

function storesOf(database: StoreDatabase, clock: DatabaseClock): Omit<JobStores, 'signer'> {
  return {
    jobs: new JobStore(database),
    dead: new DeadJobStore(database),
    runs: new RunStore(database, clock),
    batches: new BatchStore(database),
    workers: new WorkerStore(database),
    deadLetters: new DeadLetterStore(database),
    leases: new LeaseStore(database),
    cancellations: new CancellationStore(database),
    results: new ResultStore(database),
    clock,
  };
}
