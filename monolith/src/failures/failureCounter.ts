/**
 * Keeps the counters of failure groups. Each round counts the dead jobs by the small index that only unusual jobs enter, and stores
 * what has changed. So a count can be late by a round and is never wrong: whatever makes a job dead or not dead any more (a worker, a
 * replay, the retention), and whoever dies in between, the index has it.
 */
import type { DatabaseClock, DeadJobStore } from '@fit/jobs/store';
import {
  countsOf,
  type FailureCounts,
  type FailureRecord,
  mergeCounts,
  trendBegin,
} from './failure.ts';
import { type FailureStore, GROUP_LIMIT } from './store/failureStore.ts';

export interface FailureCounterOptions {
  /** Each write of a count is also correct beside another holder of the lease, so a statement may take longer than that. */
  readonly dead: Pick<DeadJobStore, 'countByGroup'>;
  readonly clock: Pick<DatabaseClock, 'read'>;
  readonly failures: FailureStore;
  /** A clock in milliseconds that is never set; default `performance.now`. */
  readonly nowMs?: () => number;
  /** Dead jobs that are counted at most; default 50,000. With more, counts are not exact. */
  readonly jobLimit?: number;
}

/** Pause between two counts in milliseconds, and as a multiple of the last one: counting takes a twentieth of the time at most. */
export const COUNT_PAUSE_MS = 5_000;
const PAUSE_FACTOR = 20;
/** A statement has eight seconds, and each dead job takes 30 to 60 µs on a busy machine. */
const JOB_LIMIT = 50_000;
/** A group has a row for each cause, kind and hour. */
const ROW_LIMIT = 20_000;
/** A group without dead jobs is forgotten this long after its last death, in milliseconds. */
const FORGET_AFTER_MS = 30 * 86_400_000;

export class FailureCounter {
  readonly #options: FailureCounterOptions;
  readonly #nowMs: () => number;
  #nextAtMs = 0;

  constructor(options: FailureCounterOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** @throws StoreUnavailable, StatementRefused; the counts then stay those of the last round, with its time. */
  async round(): Promise<boolean> {
    const startedAtMs = this.#nowMs();
    if (startedAtMs < this.#nextAtMs) return false;
    try {
      await this.#count();
    } finally {
      const tookMs = this.#nowMs() - startedAtMs;
      this.#nextAtMs = startedAtMs + Math.max(COUNT_PAUSE_MS - 1, PAUSE_FACTOR * tookMs);
    }
    return false;
  }

  async #count(): Promise<void> {
    const { dead, clock, failures, jobLimit = JOB_LIMIT } = this.#options;
    const asOf = await clock.read();
    const limits = { jobLimit, rowLimit: ROW_LIMIT };
    const rows = await dead.countByGroup(trendBegin(asOf), limits);
    const total = rows.reduce((sum, { count }) => sum + count, 0);
    const counted = new Map([...countsOf(rows)].slice(0, GROUP_LIMIT));
    const stored = await failures.all();
    const known = new Map(stored.map((group) => [group._id, group]));
    await failures.insert(
      [...counted].flatMap(([_id, counts]) =>
        known.has(_id) ? [] : [{ ...mergeCounts(undefined, counts, asOf), ...newState(_id, asOf) }],
      ),
    );
    for (const group of stored) {
      const counts = mergeCounts(group, counted.get(group._id), asOf);
      if (hasChanged(group, counts)) await failures.count(group._id, counts, asOf);
    }
    await failures.delete(
      stored.filter((group) => isForgotten(group, counted, asOf)).map(({ _id }) => _id),
      asOf,
    );
    await failures.setTotals({
      asOf,
      total,
      isExact: total < jobLimit && rows.length < ROW_LIMIT,
    });
  }
}

function newState(
  _id: string,
  asOf: Date,
): Pick<FailureRecord, '_id' | 'asOf' | 'state' | 'stateAt'> {
  return { _id, asOf, state: 'open', stateAt: asOf };
}

function hasChanged(group: FailureRecord, counts: FailureCounts): boolean {
  const { count, causes, kinds, hours, firstAt, lastAt, sample } = group;
  const before: FailureCounts = {
    count,
    causes,
    kinds,
    hours,
    firstAt,
    lastAt,
    ...(sample === undefined ? {} : { sample }),
  };
  return JSON.stringify(before) !== JSON.stringify(counts);
}

function isForgotten(
  { _id, lastAt }: FailureRecord,
  counted: ReadonlyMap<string, FailureCounts>,
  now: Date,
): boolean {
  return !counted.has(_id) && lastAt.getTime() < now.getTime() - FORGET_AFTER_MS;
}
