/**
 * Preloaded into a service by `--import`: replaces its metrics by a class that counts nothing. FIT has no such option,
 * because nobody should run it without metrics; the benchmark needs one to have a system to compare with.
 */
import { registerHooks } from 'node:module';

const REPLACEMENT_URL = new URL('emptyMetricSet.ts', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, nextResolve) => {
    const found = nextResolve(specifier, context);
    return found.url.endsWith('/service/src/metrics/metricSet.ts')
      ? { ...found, url: REPLACEMENT_URL }
      : found;
  },
});
