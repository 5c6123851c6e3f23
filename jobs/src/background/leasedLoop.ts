/** A background loop that works in one process at a time: only the holder of the lease runs its rounds. */
import { randomUUID } from 'node:crypto';
import type { JobListener } from '../jobEvent.ts';
import type { LeaseStore } from '../store/leaseStore.ts';
import { StoreUnavailable } from '../store/statement.ts';

export interface LeasedLoopOptions {
  /** Names the lease. */
  readonly name: string;
  readonly leases: LeaseStore;
  /** One round; `true` means that more work is waiting, so the next round follows at once. */
  readonly round: () => Promise<boolean>;
  /** Pause between rounds that found nothing; `wake` ends it. */
  readonly pauseMs: number;
  readonly onEvent: JobListener;
  /**
   * A turn of the loop ended, with or without the lease, in a round or in an outage: the loop lives. A round that hangs is
   * the only thing that keeps it from being called for longer than a round and a pause take.
   */
  readonly onIteration?: () => void;
}

/**
 * Duration of a lease in milliseconds: another process takes over at most this long after the holder has died. Longer than the time since the last renewal and the
 * longest statement with `BACKGROUND_LIMITS` together, so that a statement which the loop began as the holder ends before
 * another process is the holder. What a round does must use these limits.
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
  /** By the clock of the process, which never steps: the one of the machine may be set back. */
  #heldAtMs = 0;
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

  /** Ends after the round under way, and lets go of the lease so that another process need not wait for it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endPause?.();
    await this.#running;
    if (this.#isHolder)
      await this.#options.leases
        .release(this.#options.name, this.#owner)
        .catch(() => undefined /* it expires by itself */);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const hasMore = await this.#roundOrOutage();
      this.#options.onIteration?.();
      if (!hasMore) await this.#pause();
    }
  }

  async #roundOrOutage(): Promise<boolean> {
    const { name, onEvent, round } = this.#options;
    try {
      await this.#renew();
      const hasMore = this.#isHolder && !this.#isStopped && (await round());
      if (this.#isStoreDown) onEvent({ type: 'storeUp', stage: name });
      this.#isStoreDown = false;
      this.#isFailing = false;
      return hasMore;
    } catch (thrown) {
      this.#report(thrown instanceof Error ? thrown : new Error(String(thrown)));
      return false;
    }
  }

  /**
   * Once for each streak. Statements that were in each other's way are no outage: the next round does the work. What is
   * no error of an unavailable store is a defect of ours or a statement that the store refuses.
   */
  #report(error: Error): void {
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
    if (this.#isHolder && performance.now() - this.#heldAtMs < RENEW_MS) return;
    const askedAtMs = performance.now();
    const wasHolder = this.#isHolder;
    this.#isHolder = false;
    this.#isHolder = await leases.hold(name, this.#owner, LEASE_MS);
    this.#heldAtMs = askedAtMs;
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
