/** Finds jobs that the broker lost (a purge, a wiped disk, a deleted exchange) and makes them pending again. */
import type { Declaration } from '@fit/topology';
import type { JobListener } from '../event.ts';
import type { JobStore } from '../store/jobStore.ts';
import type { JobTracer } from '../trace/jobTracer.ts';

export interface ReconcileOptions {
  readonly declaration: Declaration;
  readonly store: JobStore;
  /** Messages ready in a queue, from the broker itself. @throws where it does not tell. */
  readonly readyCount: (queue: string) => Promise<number>;
  /** A job without any change for this long may be lost; see `defaultStaleAfterMs`. */
  readonly staleAfterMs: number;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
}

const MARGIN_MS = 30_000;

/** @returns the longest retry path and a margin: within it silence is normal. */
export function defaultStaleAfterMs(declaration: Declaration): number {
  const paths = declaration.kinds.map(({ tiersMs }) => tiersMs.reduce((sum, ms) => sum + ms, 0));
  return Math.max(...paths) + MARGIN_MS;
}

/**
 * Silent jobs are lost only if the main queues do not hold them: while at least as many messages are ready as jobs are
 * silent, the coaches are merely slow, and publishing again would double a backlog. What is published again anyway is
 * guarded by its generation, so an error here costs work and never a second effect.
 */
export async function reconcileOnce(options: ReconcileOptions): Promise<number> {
  const before = new Date(Date.now() - options.staleAfterMs);
  const silentCount = await options.store.countStale(before);
  if (silentCount === 0) return 0;
  const depths = await Promise.all(
    // Unknown counts as all: nothing is called lost by a broker that does not answer.
    options.declaration.kinds.map(({ queue }) => options.readyCount(queue).catch(() => Infinity)),
  );
  const readyCount = depths.reduce((sum, depth) => sum + depth, 0);
  if (readyCount >= silentCount) return 0;
  const trace = options.tracer?.operation('reconcile');
  const count = await options.store.reconcile(before, new Date(), trace?.traceparent);
  trace?.end(count);
  if (count > 0) options.onEvent({ type: 'reconciled', count });
  return count;
}
