/** The stores of jobs, leases and letters. */

export type { Change } from './change.ts';
export { connectStore, type StoreConnection, type StoreDatabase } from './connectStore.ts';
export { DeadLetterStore } from './deadLetterStore.ts';
export { DocumentCollection, type Identified } from './documentCollection.ts';
export { JobStore, type RunCounts } from './jobStore.ts';
export { LeaseStore } from './leaseStore.ts';
export {
  BACKGROUND_LIMITS,
  STATEMENT_LIMITS,
  type StatementLimits,
  StatementRefused,
  StoreUnavailable,
} from './statement.ts';
export type { PoolCounts, StoreEvent } from './watchClient.ts';
