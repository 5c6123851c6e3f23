/** The reconciler makes stale jobs pending again: the broker may have lost them (a purge, a wiped disk, a deleted exchange). */
import type { Declaration } from '@fit/topology';
import type { JobListener } from '../jobEvent.ts';
import type { JobStore } from '../store/jobStore.ts';
import type { JobTracer } from '../trace/jobTracer.ts';

export interface ReconcileOptions {
  readonly declaration: Declaration;
  readonly store: JobStore;
  /** @returns the number of ready messages in a queue, from the broker. @throws where the broker does not answer. */
  readonly readyCount: (queue: string) => Promise<number>;
  /** A job without a change for longer is stale, in milliseconds; the monolith sets it from FIT_STALE_AFTER_MS. */
  readonly staleAfterMs: number;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
}

const MARGIN_MS = 30_000;

/** @returns the longest retry path and a margin of 30 s: a healthy job changes its state within that time. */
export function defaultStaleAfterMs(declaration: Declaration): number {
  const paths = declaration.kinds.map(({ tiersMs }) => tiersMs.reduce((sum, ms) => sum + ms, 0));
  return Math.max(...paths) + MARGIN_MS;
}

/**
 * Makes stale jobs pending again where the main queues have fewer ready messages than jobs are stale. Otherwise the workers
 * are only slow, and publishing again would double the backlog. A job that is published again without need costs work, but
 * the guards of its record and its natural key allow no second effect.
 * @returns how many jobs are pending again.
 */
export async function reconcileOnce(options: ReconcileOptions): Promise<number> {
  const before = new Date(Date.now() - options.staleAfterMs);
  const staleCount = await options.store.countStale(before);
  if (staleCount === 0) return 0;
  const depths = await Promise.all(
    // Without an answer of the broker no job counts as lost, so its queues count as full.
    options.declaration.kinds.map(({ queue }) => options.readyCount(queue).catch(() => Infinity)),
  );
  const readyCount = depths.reduce((sum, depth) => sum + depth, 0);
  if (readyCount >= staleCount) return 0;
  const trace = options.tracer?.operation('reconcile');
  const count = await options.store.reconcile(before, new Date(), trace?.traceparent);
  trace?.end(count);
  if (count > 0) options.onEvent({ type: 'reconciled', count });
  return count;
}
