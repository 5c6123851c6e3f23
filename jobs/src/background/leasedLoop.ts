/** A background loop that works in one process at a time: only the holder of the lease runs its rounds. */
import { randomUUID } from 'node:crypto';
import type { JobListener } from '../jobEvent.ts';
import type { LeaseStore } from '../store/leaseStore.ts';
import { StoreUnavailable } from '../store/statement.ts';

export interface LeasedLoopOptions {
  /** Names the lease. */
  readonly name: string;
  readonly leases: LeaseStore;
  /** Does one round. @returns true where more work is waiting, so that the next round follows at once. */
  readonly round: () => Promise<boolean>;
  /** Pause after a round without further work, in milliseconds; `wake` ends the pause. */
  readonly pauseMs: number;
  readonly onEvent: JobListener;
  /**
   * Called after each iteration of the loop, also where another process has the lease and where the round failed. If the call
   * does not come within the time of a round and a pause, a round hangs.
   */
  readonly onIteration?: () => void;
}

/**
 * Duration of a lease in milliseconds: another process takes over at most this long after the holder has died. It is longer
 * than `RENEW_MS` and the longest statement with `BACKGROUND_LIMITS` together, so that a statement of the holder ends before
 * another process becomes the holder. Therefore the statements of a round must use `BACKGROUND_LIMITS`.
 */
export const LEASE_MS = 15_000;
/** A lease that was renewed within this time is not renewed before a round, in milliseconds. */
export const RENEW_MS = 3_000;

export class LeasedLoop {
  readonly #options: LeasedLoopOptions;
  readonly #owner = randomUUID();
  readonly #running: Promise<void>;
  #isStopped = false;
  #isHolder = false;
  #isStoreDown = false;
  #isFailing = false;
  /** Time of the last renewal by `performance.now()`, because the clock of the machine may be set back. */
  #renewedAtMs = 0;
  #endPause: (() => void) | undefined;
  #isWoken = false;

  constructor(options: LeasedLoopOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Ends the pause, so that new work is found at once. */
  wake(): void {
    this.#isWoken = true;
    this.#endPause?.();
  }

  /** Ends the loop after the current round, and releases the lease so that another process need not wait until it expires. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endPause?.();
    await this.#running;
    if (this.#isHolder)
      await this.#options.leases
        .release(this.#options.name, this.#owner)
        .catch(() => undefined /* the lease expires by itself */);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const hasMore = await this.#tryRound();
      this.#options.onIteration?.();
      if (!hasMore) await this.#pause();
    }
  }

  async #tryRound(): Promise<boolean> {
    const { name, onEvent, round } = this.#options;
    try {
      await this.#renew();
      const hasMore = this.#isHolder && !this.#isStopped && (await round());
      if (this.#isStoreDown) onEvent({ type: 'storeUp', stage: name });
      this.#isStoreDown = false;
      this.#isFailing = false;
      return hasMore;
    } catch (thrown) {
      this.#reportError(thrown instanceof Error ? thrown : new Error(String(thrown)));
      return false;
    }
  }

  /**
   * Reports the first error of a series of failed rounds. Contention is not reported, because the next round repeats the
   * statement. An error other than `StoreUnavailable` is a defect, or a statement that the database refuses.
   */
  #reportError(error: Error): void {
    const { name: stage, onEvent } = this.#options;
    if (!(error instanceof StoreUnavailable)) {
      if (!this.#isFailing) onEvent({ type: 'stageFailed', stage, error });
      this.#isFailing = true;
      return;
    }
    if (error.reason === 'contention') return;
    if (!this.#isStoreDown) onEvent({ type: 'storeDown', stage, error });
    this.#isStoreDown = true;
  }

  async #renew(): Promise<void> {
    const { name, leases, onEvent } = this.#options;
    if (this.#isHolder && performance.now() - this.#renewedAtMs < RENEW_MS) return;
    const requestedAtMs = performance.now();
    const wasHolder = this.#isHolder;
    this.#isHolder = false;
    this.#isHolder = await leases.hold(name, this.#owner, LEASE_MS);
    this.#renewedAtMs = requestedAtMs;
    if (this.#isHolder !== wasHolder)
      onEvent({ type: this.#isHolder ? 'leaseTaken' : 'leaseLost', name });
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#isWoken || this.#isStopped) {
        resolve();
        return;
      }
      const timer = setTimeout(resolve, this.#options.pauseMs);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#isWoken = false;
    this.#endPause = undefined;
  }
}
