/** The collections of jobs, leases and dead letters, and the connection to their database. */

export {
  connectStore,
  type PoolCounts,
  type StoreConnection,
  type StoreDatabase,
  type StoreEvent,
} from './connectStore.ts';
export { DeadLetterStore } from './deadLetterStore.ts';
export { DocumentCollection, type Identified } from './documentCollection.ts';
export type { Change } from './jobChanges.ts';
export { JobStore, type RunCounts } from './jobStore.ts';
export { LeaseStore } from './leaseStore.ts';
export { awaitSchema, requireExistingSchema, requireSchema } from './schemaVersion.ts';
export {
  BACKGROUND_LIMITS,
  STATEMENT_LIMITS,
  type StatementLimits,
  StatementRefused,
  StoreUnavailable,
} from './statement.ts';
