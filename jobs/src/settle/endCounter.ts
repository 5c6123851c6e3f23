/** Counts the ends of jobs for their runs: collects them for a quarter of a second, and then adds them to each run at once. */
import type { EndChange, RunStore } from '../store/runStore.ts';

/** Jobs that one statement was to bring to the same end. */
export interface EndedJobs {
  /** The run that counts each job, one entry for each job of the statement. */
  readonly runIds: readonly string[];
  readonly end: 'done' | 'dead' | 'cancelled';
  /** Cause of death; absent for other ends. */
  readonly cause?: string;
  /** How many records changed. */
  readonly changedCount: number;
  /** How many of these were dead before; the cause of their death is not known. */
  readonly revivedCount?: number;
}

export interface EndCounterOptions {
  /** Requests recounts; its statements are repeated where that helps. */
  readonly runs: RunStore;
  /** Adds ends; its statements are tried once, because a repeated addition may count twice (`countingRunStore`). */
  readonly countingRuns: RunStore;
}

const INTERVAL_MS = 250;
/** Pause after a failed statement. */
const RETRY_MS = 1_000;
/** How long `close` tries to write what is left. What is not written then is found by the reconciler. */
const CLOSE_LIMIT_MS = 3_000;

type Counts = { -readonly [Field in keyof EndChange]: EndChange[Field] } & {
  readonly causes: Record<string, number>;
};

/** Each process needs one at most. After a crash the counts of its last quarter of a second are missing, and the reconciler counts again. */
export class EndCounter {
  readonly #options: EndCounterOptions;
  readonly #pending = new Map<string, Counts>();
  /** Runs of which an addition is uncertain; they are counted again from their batches. */
  readonly #recounts = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #flushed: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: EndCounterOptions) {
    this.#options = options;
  }

  /**
   * Counts jobs after the statement that ended them. A statement returns how many records it changed, but not which, so where
   * some records of several runs did not change, these runs are counted again.
   */
  add({ runIds, end, cause, changedCount, revivedCount = 0 }: EndedJobs): void {
    if (changedCount === 0) return;
    const [first] = runIds;
    if (first !== undefined && runIds.every((id) => id === first)) {
      this.#addTo(first, end, cause, changedCount);
      if (revivedCount > 0) {
        this.#addTo(first, 'dead', undefined, -revivedCount);
        this.requestRecount(first);
      }
    } else if (changedCount === runIds.length && revivedCount === 0) {
      for (const id of runIds) this.#addTo(id, end, cause, 1);
    } else for (const id of runIds) this.requestRecount(id);
    this.#arm(INTERVAL_MS);
  }

  /** The ends of this run are counted again from its batches. */
  requestRecount(runId: string): void {
    this.#recounts.add(runId);
    this.#arm(INTERVAL_MS);
  }

  /** Writes everything that was counted before this call; what fails is tried again later. */
  async flush(): Promise<void> {
    this.#flushed = this.#flushed.then(() => this.#write());
    await this.#flushed;
  }

  /** Writes what is left, for at most three seconds. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_LIMIT_MS);
    });
    await Promise.race([this.flush(), limit]);
    clearTimeout(timer);
  }

  #addTo(runId: string, end: EndedJobs['end'], cause: string | undefined, count: number): void {
    let counts = this.#pending.get(runId);
    if (counts === undefined) {
      counts = { done: 0, dead: 0, cancelled: 0, causes: {} };
      this.#pending.set(runId, counts);
    }
    counts[end] += count;
    if (cause !== undefined) counts.causes[cause] = (counts.causes[cause] ?? 0) + count;
  }

  #arm(afterMs: number): void {
    if (this.#isClosed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      void this.flush().finally(() => {
        this.#timer = undefined;
        if (this.#recounts.size > 0) this.#arm(RETRY_MS);
        else if (this.#pending.size > 0) this.#arm(INTERVAL_MS);
      });
    }, afterMs);
    this.#timer.unref();
  }

  async #write(): Promise<void> {
    for (const runId of [...this.#pending.keys()]) {
      const counts = this.#pending.get(runId);
      this.#pending.delete(runId);
      try {
        if (counts !== undefined) await this.#options.countingRuns.addEnds(runId, counts);
      } catch {
        // Whether the addition arrived is not known, so it is neither repeated nor forgotten.
        this.#recounts.add(runId);
        return;
      }
    }
    for (const runId of [...this.#recounts]) {
      this.#recounts.delete(runId);
      try {
        await this.#options.runs.requestRecount(runId);
      } catch {
        this.#recounts.add(runId);
        return;
      }
    }
  }
}
