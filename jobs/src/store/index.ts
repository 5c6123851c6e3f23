/** The collections of jobs, leases and dead letters, and the connection to their database. */

export { BatchStore, type HeldBatch, type NewBatch, type OpenBatchCounts } from './batchStore.ts';
export { CancellationStore } from './cancellationStore.ts';
export {
  connectStore,
  type DriverDatabase,
  type PoolCounts,
  type StoreConnection,
  type StoreDatabase,
  type StoreEvent,
  storeOf,
} from './connectStore.ts';
export { DatabaseClock } from './databaseClock.ts';
export {
  type DeadGroup,
  type DeadJob,
  type DeadJobCount,
  DeadJobStore,
  type DeadJobWithPayload,
  type PayloadEdit,
  type ReplayFilter,
} from './deadJobStore.ts';
export { DeadLetterStore } from './deadLetterStore.ts';
export {
  DocumentCollection,
  type Filter,
  type Identified,
  type Update,
} from './documentCollection.ts';
export type { Change } from './jobChanges.ts';
export {
  endsAmong,
  type FinishCounts,
  type FinishedJobs,
  type IdRange,
  type JobConditions,
  type JobPage,
  type JobQuery,
  JobStore,
  SCANNED_JOBS,
  type StateCounts,
} from './jobStore.ts';
export {
  backgroundStores,
  countingRunStore,
  ensureIndexes,
  type JobStores,
  openJobStores,
} from './jobStores.ts';
export { LeaseStore } from './leaseStore.ts';
export { type ResultDocument, ResultStore } from './resultStore.ts';
export {
  type CountedRun,
  type EndChange,
  type HeldRun,
  RUN_SUMMARY_FIELDS,
  RunStore,
  type RunSummary,
} from './runStore.ts';
export { awaitSchema, requireExistingSchema, requireSchema } from './schemaVersion.ts';
export { type ShownJob, showJobs } from './shownJobs.ts';
export {
  BACKGROUND_LIMITS,
  LOOKUP_LIMITS,
  REQUEST_LIMITS,
  STATEMENT_LIMITS,
  type StatementLimits,
  StatementRefused,
  StoreUnavailable,
} from './statement.ts';
export {
  HEARTBEAT_MS,
  type ListedWorker,
  type Pause,
  WORKER_DEAD_AFTER_MS,
  type WorkerRecord,
  type WorkerStatus,
  WorkerStore,
} from './workerStore.ts';
