/**
 * Loaded before a service by `--import`: its metrics come from a stand-in that counts nothing. FIT has no such switch,
 * since nobody should run it unwatched; the bench needs one to have something to compare with.
 */
import { registerHooks } from 'node:module';

const STAND_IN = new URL('mutedMetricSet.ts', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, nextResolve) => {
    const found = nextResolve(specifier, context);
    return found.url.endsWith('/service/src/metrics/metricSet.ts')
      ? { ...found, url: STAND_IN }
      : found;
  },
});
