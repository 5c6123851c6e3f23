/**
 * Finishes runs whose jobs have all ended. Workers count the ends of the jobs that a run created; this file counts those of
 * the jobs that it skipped, and counts a run again from its batches where the numbers do not add up, because a process died
 * between a write and its count.
 */
import { CancellationPass } from '../cancel/cancelRun.ts';
import type { BatchRecord } from '../record/batch.ts';
import {
  type EndCounts,
  endedCount,
  endsOf,
  isExpanded,
  NO_ENDS,
  type RunRecord,
} from '../record/run.ts';
import { LIVE_STATES } from '../record/transitions.ts';
import { endsAmong, type StateCounts } from '../store/jobStore.ts';
import type { JobStores } from '../store/jobStores.ts';
import type { CountedRun } from '../store/runStore.ts';
import { PageCursor } from './pageCursor.ts';

export interface RunCounterOptions {
  readonly stores: JobStores;
  /** A run is counted again only if its counters did not change for this long, in milliseconds. */
  readonly confirmMs: number;
  /** A clock in milliseconds that is never set. */
  readonly nowMs: () => number;
}

/** Pause between two passes over the skipped jobs of a run, in milliseconds, and as a multiple of the last pass. */
const PASS_PAUSE_MS = 5_000;
const PAUSE_FACTOR = 10;
/** A pass stops after this many pages with live jobs, because jobs end about in the order of their pages. */
const LIVE_PAGES_LIMIT = 10;
/** Skipped jobs of which some are dead are counted again after this time in milliseconds, because a replay may revive them. */
const DEAD_PAGE_MS = 60_000;

/** Skipped jobs of one page. */
interface SkippedPage {
  readonly ends: EndCounts;
  /** Time by the monotonic clock from which on the page is counted again; infinite: never. */
  readonly againAtMs: number;
}

/** What is known about an active run between two rounds. */
interface RunState {
  handledAtMs: number;
  readonly skipped: Map<string, SkippedPage>;
  /** True once a pass has read every page that was published at its time. */
  isSkippedKnown: boolean;
  /** The pass over the skipped jobs; undefined between two passes. */
  pass: SkippedPass | undefined;
  nextPassAtMs: number;
  /** The counters that do not add up, as text, and since when they are as they are. */
  mismatch: { readonly counters: string; readonly sinceMs: number } | undefined;
  recount: Recount | undefined;
  nextRecountAtMs: number;
  /** The pass that cancels the jobs of a cancelled run; undefined between two passes. */
  cancellation: { readonly beganAtMs: number; readonly pass: CancellationPass } | undefined;
  nextCancellationAtMs: number;
}

/** A pass over the skipped jobs of a run, which may take several rounds. */
interface SkippedPass {
  readonly beganAtMs: number;
  readonly pages: PageCursor;
  livePages: number;
}

/** A count of a run from its batches, which may take several rounds. */
interface Recount {
  /** The run as it was read when the count began. */
  readonly run: RunRecord;
  readonly beganAtMs: number;
  readonly pages: PageCursor;
  liveCount: number;
  /** Jobs without a record in pages that the retention has cleared. */
  clearedCount: number;
  counts: CountedRun;
}

const NOTHING_COUNTED: CountedRun = {
  recordedPages: 0,
  expanded: 0,
  created: 0,
  skipped: 0,
  refused: 0,
  ends: NO_ENDS,
  skippedEnds: NO_ENDS,
};

export class RunCounter {
  readonly #stores: JobStores;
  readonly #confirmMs: number;
  readonly #nowMs: () => number;
  readonly #states = new Map<string, RunState>();

  constructor({ stores, confirmMs, nowMs }: RunCounterOptions) {
    this.#stores = stores;
    this.#confirmMs = confirmMs;
    this.#nowMs = nowMs;
  }

  /**
   * Looks at every active run, those first that were not looked at for the longest time.
   * @param deadlineMs by the monotonic clock; no further work begins after it.
   * @returns true where work is left that should follow at once.
   */
  async checkRuns(deadlineMs: number): Promise<boolean> {
    const runs = await this.#stores.runs.active();
    const activeIds = new Set(runs.map(({ _id }) => _id));
    for (const id of this.#states.keys()) if (!activeIds.has(id)) this.#states.delete(id);
    const states = runs.map((run) => ({ run, state: this.#stateOf(run._id) }));
    states.sort((a, b) => a.state.handledAtMs - b.state.handledAtMs);
    let hasMore = false;
    for (const { run, state } of states) {
      if (this.#nowMs() >= deadlineMs) return true;
      state.handledAtMs = this.#nowMs();
      if (await this.#checkRun(run, state, deadlineMs)) hasMore = true;
    }
    return hasMore;
  }

  #stateOf(runId: string): RunState {
    const known = this.#states.get(runId);
    if (known !== undefined) return known;
    const state: RunState = {
      handledAtMs: 0,
      skipped: new Map(),
      isSkippedKnown: false,
      pass: undefined,
      nextPassAtMs: 0,
      mismatch: undefined,
      recount: undefined,
      nextRecountAtMs: 0,
      cancellation: undefined,
      nextCancellationAtMs: 0,
    };
    this.#states.set(runId, state);
    return state;
  }

  /** @returns true where a count is not complete yet. */
  async #checkRun(found: RunRecord, state: RunState, deadlineMs: number): Promise<boolean> {
    if (found.cancelledAt !== undefined && (await this.#cancel(found, state, deadlineMs)))
      return true;
    let run = found;
    if (run.skipped > 0) {
      run = await this.#countSkipped(run, state, deadlineMs);
      if (state.pass !== undefined) return true;
    }
    // The last page is not known, so the relay is still expanding the run.
    if (run.pageCount === undefined) return false;
    if (addsUp(run)) {
      await this.#finish(run);
      return false;
    }
    if (!this.#isUnchanged(run, state)) return false;
    if (state.recount === undefined) {
      if (this.#nowMs() < state.nextRecountAtMs || !(await this.#isQuiet(run))) return false;
      state.recount = {
        run,
        beganAtMs: this.#nowMs(),
        pages: new PageCursor(this.#stores, run._id),
        liveCount: 0,
        clearedCount: 0,
        counts: NOTHING_COUNTED,
      };
    }
    return await this.#recount(state.recount, state, deadlineMs);
  }

  /** Cancels the jobs of a cancelled run that have not begun. @returns true where a pass is not complete yet. */
  async #cancel(run: RunRecord, state: RunState, deadlineMs: number): Promise<boolean> {
    if (state.cancellation === undefined && this.#nowMs() < state.nextCancellationAtMs)
      return false;
    state.cancellation ??= {
      beganAtMs: this.#nowMs(),
      pass: new CancellationPass(this.#stores, run),
    };
    const { beganAtMs, pass } = state.cancellation;
    if (!(await pass.proceed(() => this.#nowMs() < deadlineMs))) return true;
    state.cancellation = undefined;
    const tookMs = this.#nowMs() - beganAtMs;
    state.nextCancellationAtMs = this.#nowMs() + Math.max(PASS_PAUSE_MS, PAUSE_FACTOR * tookMs);
    return false;
  }

  /** Counters change for a while after the last job has ended, because workers count after their other writes. */
  #isUnchanged(run: RunRecord, state: RunState): boolean {
    const counters = JSON.stringify([
      run.recordedPages,
      run.pageCount,
      run.expanded,
      run.refused,
      run.ends,
      run.skippedEnds,
      run.needsRecount,
    ]);
    if (state.mismatch?.counters !== counters) {
      state.mismatch = { counters, sinceMs: this.#nowMs() };
      state.recount = undefined;
    }
    return this.#nowMs() - state.mismatch.sinceMs >= this.#confirmMs;
  }

  /** @returns whether no message of the run is under way, except those that an operation publishes again. */
  async #isQuiet({ _id }: RunRecord): Promise<boolean> {
    const { batches, jobs } = this.#stores;
    return !(await batches.hasAny(_id, ['open', 'published'])) && !(await jobs.hasUnsettled(_id));
  }

  /**
   * Counts the ends of the jobs that earlier runs had created, page by page, and stores the sum where it has changed.
   * @returns the run with that sum.
   */
  async #countSkipped(run: RunRecord, state: RunState, deadlineMs: number): Promise<RunRecord> {
    if (state.pass === undefined) {
      if (this.#nowMs() < state.nextPassAtMs) return run;
      state.pass = {
        beganAtMs: this.#nowMs(),
        pages: new PageCursor(this.#stores, run._id),
        livePages: 0,
      };
    }
    const { pass } = state;
    let isEnd = false;
    while (!isEnd && this.#nowMs() < deadlineMs) {
      const ids = await pass.pages.next((id) => {
        const againAtMs = state.skipped.get(id)?.againAtMs ?? 0;
        return againAtMs <= pass.beganAtMs;
      });
      await this.#countSkippedPages(ids, state, pass);
      if (ids.length === 0) state.isSkippedKnown = true;
      isEnd = ids.length === 0 || pass.livePages >= LIVE_PAGES_LIMIT;
    }
    if (isEnd) {
      state.pass = undefined;
      const tookMs = this.#nowMs() - pass.beganAtMs;
      state.nextPassAtMs = this.#nowMs() + Math.max(PASS_PAUSE_MS, PAUSE_FACTOR * tookMs);
    }
    const skippedEnds = [...state.skipped.values()].reduce(
      (sum, { ends }) => addEnds(sum, ends),
      NO_ENDS,
    );
    if (JSON.stringify(skippedEnds) === JSON.stringify(run.skippedEnds)) return run;
    // A process that has just begun knows a part of the pages, while its predecessor stored the sum of more of them.
    if (!state.isSkippedKnown && endedCount(skippedEnds) <= endedCount(run.skippedEnds)) return run;
    await this.#stores.runs.setSkippedEnds(run._id, skippedEnds);
    return { ...run, skippedEnds };
  }

  async #countSkippedPages(
    ids: readonly string[],
    state: RunState,
    pass: SkippedPass,
  ): Promise<void> {
    for (const batch of await this.#stores.batches.findAll(ids, ['state', 'skippedIds'])) {
      // The relay stores which jobs it skipped when the batch is published.
      if (batch.state === 'open') continue;
      const { ends, liveCount } = await this.#countSkippedOf(batch);
      if (liveCount > 0) pass.livePages += 1;
      let againAtMs = Infinity;
      if (ends.dead > 0) againAtMs = this.#nowMs() + DEAD_PAGE_MS;
      if (liveCount > 0) againAtMs = 0;
      state.skipped.set(batch._id, { ends, againAtMs });
    }
  }

  async #countSkippedOf({
    skippedIds = [],
  }: Pick<BatchRecord, 'skippedIds'>): Promise<{ ends: EndCounts; liveCount: number }> {
    if (skippedIds.length === 0) return { ends: NO_ENDS, liveCount: 0 };
    const counts = await this.#stores.jobs.countAmong(skippedIds);
    const liveCount = liveAmong(counts);
    const ends = endsAmong(counts);
    // The retention deletes only jobs in a final state, so one that does not exist any more has ended.
    const expiredCount = skippedIds.length - liveCount - endedCount(ends);
    return { ends: { ...ends, done: ends.done + expiredCount }, liveCount };
  }

  /** Continues a count. @returns true where it is not complete yet. */
  async #recount(recount: Recount, state: RunState, deadlineMs: number): Promise<boolean> {
    const { run, pages } = recount;
    for (;;) {
      if (this.#nowMs() >= deadlineMs) return true;
      const ids = await pages.next();
      if (ids.length === 0) break;
      for (const batch of await this.#stores.batches.findAll(ids))
        await this.#countBatch(recount, batch);
    }
    const tookMs = this.#nowMs() - recount.beganAtMs;
    state.recount = undefined;
    state.mismatch = undefined;
    state.nextRecountAtMs = this.#nowMs() + PAUSE_FACTOR * tookMs;
    const { liveCount } = recount;
    const counts = withCleared(recount);
    const isFinal = liveCount === 0 && counts.recordedPages >= (run.pageCount ?? 0);
    if (!(await this.#stores.runs.setCounts(run, counts, isFinal))) return false;
    const { needsRecount: _, ...rest } = run;
    const counted: RunRecord = { ...rest, ...counts };
    if (isFinal && addsUp(counted)) await this.#finish(counted);
    return false;
  }

  /** Every page is stored, because the last one is known; none may be left to publish. */
  async #finish(run: RunRecord): Promise<void> {
    const { batches, runs } = this.#stores;
    if (!(await batches.hasAny(run._id, ['open']))) await runs.finish(run);
  }

  async #countBatch(recount: Recount, batch: BatchRecord): Promise<void> {
    const { jobs } = this.#stores;
    const skippedIds = new Set(batch.skippedIds);
    const createdIds = batch.ids.filter((id) => !skippedIds.has(id));
    const created = await jobs.countAmong(createdIds);
    const skipped = await this.#countSkippedOf(batch);
    const liveCount = liveAmong(created);
    const ends = endsAmong(created);
    // A job without a record was refused by the database, because the relay records every page before it is published; or the
    // retention has deleted it.
    const missingCount = createdIds.length - liveCount - endedCount(ends);
    const refusedCount = batch.state === 'cleared' ? 0 : missingCount;
    if (batch.state === 'cleared') recount.clearedCount += missingCount;
    const { counts } = recount;
    recount.liveCount += liveCount + skipped.liveCount;
    recount.counts = {
      recordedPages: counts.recordedPages + 1,
      expanded: counts.expanded + batch.ids.length,
      created: counts.created + createdIds.length - refusedCount,
      skipped: counts.skipped + skippedIds.size,
      refused: counts.refused + refusedCount,
      ends: addEnds(counts.ends, ends),
      skippedEnds: addEnds(counts.skippedEnds, skipped.ends),
    };
  }
}

/**
 * Adds the jobs that the retention has deleted to what was counted. It deletes only jobs of finished runs, so the run counted
 * exactly then how many were refused; how the others ended is not known any more, and they count as done.
 */
function withCleared({ run, counts, clearedCount }: Recount): CountedRun {
  const refused = Math.min(clearedCount, Math.max(0, run.refused - counts.refused));
  const { ends } = counts;
  return {
    ...counts,
    created: counts.created - refused,
    refused: counts.refused + refused,
    ends: { ...ends, done: ends.done + clearedCount - refused },
  };
}

/** @returns whether every page is recorded, every job has ended, and no count is in doubt. */
function addsUp(run: RunRecord): boolean {
  return (
    isExpanded(run) &&
    endedCount(endsOf(run)) + run.refused === run.expanded &&
    run.needsRecount !== true
  );
}

function liveAmong({ states }: StateCounts): number {
  return LIVE_STATES.reduce((sum, state) => sum + (states[state] ?? 0), 0);
}

function addEnds(a: EndCounts, b: EndCounts): EndCounts {
  const causes: Record<string, number> = { ...a.causes };
  for (const [cause, count] of Object.entries(b.causes))
    causes[cause] = (causes[cause] ?? 0) + count;
  return {
    done: a.done + b.done,
    dead: a.dead + b.dead,
    cancelled: a.cancelled + b.cancelled,
    causes,
  };
}
