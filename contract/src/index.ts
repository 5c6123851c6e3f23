/** What monolith and coach agree on. */
export { fitTopology, PROFILES, type FitKind, type Profile } from './fitTopology.ts';
export { readFitTopology } from './readFitTopology.ts';
