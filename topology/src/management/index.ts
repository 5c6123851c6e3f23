/** The management API of one virtual host: live objects, owned objects, policies, counts. */
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
  readLive,
  readQueues,
} from './liveTopology.ts';
export { ManagementApi } from './managementApi.ts';
export {
  type FormerDelays,
  type FormerWaitQueue,
  firstTierChangeExchange,
  formerDelays,
  formerSpreadExchanges,
  formerWaitQueues,
  notesBinding,
  privateExchanges,
  publicExchange,
  tierChangeBinding,
  tierChangeExchange,
  wantedBindings,
} from './ownedObjects.ts';
export { type ProbeReport, probeBroker, refuseVersion } from './probeBroker.ts';
export { type QueueCounts, readQueueCounts } from './readQueueCounts.ts';
