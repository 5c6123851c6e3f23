/** The management API of one virtual host: what is on the broker, what is ours of it, policies. */
export { applyPolicies, isSamePolicy, policyBody, putPolicy } from './applyPolicies.ts';
export { type ForeignPolicy, findForeignPolicies } from './foreignPolicies.ts';
export {
  type Arguments,
  bindingText,
  canonicalText,
  type LiveBinding,
  type LiveExchange,
  type LivePolicy,
  type LiveQueue,
  type LiveTopology,
} from './liveTopology.ts';
export { ManagementApi } from './managementApi.ts';
export {
  formerWaitQueues,
  privateExchanges,
  publicExchange,
  tierChangeBinding,
  tierChangeExchange,
  wantedBindings,
} from './ownedObjects.ts';
export { type ProbeReport, probeBroker, refuseVersion } from './probeBroker.ts';
export { readLive, readQueues } from './readLiveTopology.ts';
export { type QueueCounts, readQueueCounts } from './readQueueCounts.ts';
