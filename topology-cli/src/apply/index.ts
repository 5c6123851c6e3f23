/** Changes a live topology: for tests beside a running service. */
export { applyTopology, planFor } from './applyTopology.ts';
export { drainTopology } from './drainTopology.ts';
