/** What monolith and coach agree on. */
export { type FitKind, fitTopology, PROFILES, type Profile } from './fitTopology.ts';
export { readFitTopology } from './readFitTopology.ts';
