/** A plan beside a running broker: what is there, how it differs, the way from one to the other. */
export {
  type ApplyOptions,
  type ApplyReport,
  applyTopology,
  planFor,
} from './applyTopology.ts';
export type { Difference, DifferenceCode, Mender } from './difference.ts';
export { diffTopology } from './diffTopology.ts';
export {
  type DrainOptions,
  type DrainProgress,
  type DrainReport,
  drainTopology,
  type RemainingQueue,
} from './drainTopology.ts';
export { COUNT_INTERVAL_MS } from './emptiness.ts';
export type { Hand } from './hand.ts';
export type {
  Arguments,
  Live,
  LiveBinding,
  LiveExchange,
  LivePolicy,
  LiveQueue,
} from './live.ts';
export { ManagementApi } from './managementApi.ts';
export { planSteps } from './planSteps.ts';
export { type ProbeReport, probeBroker } from './probe.ts';
export { readLive } from './readLive.ts';
export { type QueueCounts, readQueueCounts } from './readQueueCounts.ts';
export { describeStep, type Step } from './step.ts';
