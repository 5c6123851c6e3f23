/** The stores of jobs, leases and letters. */

export type { Change } from './change.ts';
export { connectStore, type StoreConnection } from './connectStore.ts';
export { duplicateIndexes, JobStore, type RunCounts } from './jobStore.ts';
export { LeaseStore } from './leaseStore.ts';
export { LetterStore } from './letterStore.ts';
export type { PoolCounts, StoreEvent } from './watchClient.ts';
