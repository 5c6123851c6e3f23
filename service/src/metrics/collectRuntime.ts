/** Node and process metrics of prom-client, all but one: the observer of garbage collections. */
import { createRequire } from 'node:module';
import type { Registry } from 'prom-client';

type Collector = (registry: Registry, options: { eventLoopMonitoringPrecision: number }) => void;

/**
 * Files of prom-client 15.1.3, since its own list cannot be shortened. Left out: `gc`. Node makes an object for every collection
 * as soon as one observer listens, and under load there are hundreds a second (the young generation is 4 MiB): a sixth
 * more processor time in a loop that does little but allocate, for a figure that counts only the first of those told together.
 */
const COLLECTORS = [
  ...['processCpuTotal', 'processStartTime', 'osMemoryHeap', 'processOpenFileDescriptors'],
  ...['processMaxFileDescriptors', 'eventLoopLag', 'processResources', 'processHandles'],
  ...['processRequests', 'heapSizeAndUsed', 'heapSpacesSizeAndUsed', 'version'],
];
const EVENT_LOOP_PRECISION_MS = 10;

const require = createRequire(import.meta.url);

export function collectRuntime(registry: Registry): void {
  for (const name of COLLECTORS) {
    const collect = require(`prom-client/lib/metrics/${name}.js`) as Collector;
    collect(registry, { eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS });
  }
}
