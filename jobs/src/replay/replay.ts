/** Brings dead jobs back at a chosen pace. The relay publishes them, so a replayed message carries no old headers. */
import type { ReplayFilter } from './replayFilter.ts';
import type { ReplayStore } from './replayStore.ts';

export interface ReplayOptions {
  readonly store: ReplayStore;
  readonly filter: ReplayFilter;
  readonly replayId: string;
  /** Of this replay, for the next publish of each job to link to. */
  readonly traceparent?: string | undefined;
  /** Jobs per second; undefined: as fast as the store takes them. */
  readonly ratePerSecond: number | undefined;
  readonly onRevived: (totalCount: number) => void;
}

const GROUP_COUNT = 500;

/**
 * A kill half-way leaves every job either dead, and so found by the next replay, or pending, and so on its way.
 * @returns how many jobs were brought back.
 */
export async function replayDead(options: ReplayOptions): Promise<number> {
  const { store, filter, ratePerSecond, onRevived } = options;
  // A job that fails again during this replay died later than this, and is not taken a second time.
  const diedBefore = new Date();
  const groupCount = Math.min(GROUP_COUNT, Math.max(1, Math.round(ratePerSecond ?? GROUP_COUNT)));
  let total = 0;
  for (;;) {
    const startedAt = performance.now();
    const ids = await store.next(filter, diedBefore, groupCount);
    if (ids.length === 0) return total;
    total += await store.revive(ids, options, new Date());
    onRevived(total);
    if (ratePerSecond !== undefined)
      await pause((ids.length / ratePerSecond) * 1_000 - (performance.now() - startedAt));
  }
}

async function pause(pauseMs: number): Promise<void> {
  if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
}
