/** The stores of jobs, leases and letters. */
export { connectStore, type StoreConnection } from './connectStore.ts';
export { type Change, duplicateIndexes, JobStore, type RunCounts } from './jobStore.ts';
export { LeaseStore } from './leaseStore.ts';
export { LetterStore } from './letterStore.ts';
