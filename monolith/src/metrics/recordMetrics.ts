/** Gauges over the records. Refreshed beside the scrape, never in it: a hung database must not hang Prometheus. */
import { JOB_STATES } from '@fit/jobs';
import type { JobStore } from '@fit/jobs/store';
import { Gauge, type Registry } from 'prom-client';

const REFRESH_MS = 5_000;

/** @returns a function that ends the refreshing. */
export function recordMetrics(registry: Registry, jobs: JobStore): () => void {
  const registers = [registry];
  const byState = new Gauge({
    name: 'jobs_by_state',
    help: 'Job records by state',
    labelNames: ['state'],
    registers,
  });
  const pending = new Gauge({
    name: 'jobs_outbox_pending',
    help: 'Jobs that the broker does not have yet',
    registers,
  });
  const oldest = new Gauge({
    name: 'jobs_outbox_oldest_age_seconds',
    help: 'Age of the oldest of them',
    registers,
  });
  for (const state of JOB_STATES) byState.set({ state }, 0);
  let isRefreshing = false;
  const refresh = async () => {
    if (isRefreshing) return;
    isRefreshing = true;
    try {
      const [counts, since] = await Promise.all([jobs.countStates(), jobs.oldestPending()]);
      for (const state of JOB_STATES) byState.set({ state }, counts[state] ?? 0);
      pending.set(counts.pending ?? 0);
      oldest.set(since === undefined ? 0 : (Date.now() - since.getTime()) / 1_000);
    } catch {
      // The store is out: the old figures stand, readiness and the outage counter tell of it.
    } finally {
      isRefreshing = false;
    }
  };
  const timer = setInterval(() => void refresh(), REFRESH_MS);
  return () => {
    clearInterval(timer);
  };
}
