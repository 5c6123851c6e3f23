/** What others need of a topology's live change: the steps of `apply` and `drain`, for tests beside a running service. */
export { applyTopology, planFor } from './applyTopology.ts';
export { drainTopology } from './drainTopology.ts';
