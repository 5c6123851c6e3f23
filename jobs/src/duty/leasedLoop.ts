/** A loop that runs in one process at a time, however many are started: whoever holds the lease does the rounds. */
import { randomUUID } from 'node:crypto';
import type { JobListener } from '../event.ts';
import type { LeaseStore } from '../store/leaseStore.ts';
import { StatementRefused, StoreUnavailable } from '../store/statement.ts';

export interface LeasedLoopOptions {
  /** Names the lease. */
  readonly name: string;
  readonly leases: LeaseStore;
  /** One round; `true` means that more work is waiting, so the next round follows at once. */
  readonly round: () => Promise<boolean>;
  /** Pause between rounds that found nothing; `kick` ends it. */
  readonly pauseMs: number;
  readonly onEvent: JobListener;
  /**
   * A turn of the loop ended, with or without the lease, in a round or in an outage: the loop lives. A round that hangs is
   * the only thing that keeps it from being called for longer than a round and a pause take.
   */
  readonly onTurn?: () => void;
}

/** A holder that dies is followed after at most this. A round must be shorter. */
const LEASE_MS = 15_000;
const RENEW_MS = 3_000;

export class LeasedLoop {
  readonly #options: LeasedLoopOptions;
  readonly #owner = randomUUID();
  readonly #running: Promise<void>;
  #isStopped = false;
  #isHolder = false;
  #isStoreDown = false;
  #isFailing = false;
  #heldAt = 0;
  #wake: (() => void) | undefined;
  #isKicked = false;

  constructor(options: LeasedLoopOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** There is new work: do a round now. */
  kick(): void {
    this.#isKicked = true;
    this.#wake?.();
  }

  /** Ends after the round under way, and lets go of the lease so that another process need not wait for it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake?.();
    await this.#running;
    if (this.#isHolder)
      await this.#options.leases
        .release(this.#options.name, this.#owner)
        .catch(() => undefined /* it expires by itself */);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const hasMore = await this.#roundOrOutage();
      this.#options.onTurn?.();
      if (!hasMore) await this.#pause();
    }
  }

  async #roundOrOutage(): Promise<boolean> {
    const { name, onEvent, round } = this.#options;
    try {
      await this.#renew();
      const hasMore = this.#isHolder && (await round());
      if (this.#isStoreDown) onEvent({ type: 'storeUp', stage: name });
      this.#isStoreDown = false;
      this.#isFailing = false;
      return hasMore;
    } catch (thrown) {
      this.#report(thrown instanceof Error ? thrown : new Error(String(thrown)));
      return false;
    }
  }

  /** Once for each streak. Statements that were in each other's way are no outage: the next round does the work. */
  #report(error: Error): void {
    const { name: stage, onEvent } = this.#options;
    if (error instanceof StoreUnavailable && error.reason === 'contention') return;
    if (error instanceof StatementRefused) {
      if (!this.#isFailing) onEvent({ type: 'stageFailed', stage, error });
      this.#isFailing = true;
      return;
    }
    if (!this.#isStoreDown) onEvent({ type: 'storeDown', stage, error });
    this.#isStoreDown = true;
  }

  async #renew(): Promise<void> {
    const { name, leases, onEvent } = this.#options;
    if (this.#isHolder && Date.now() - this.#heldAt < RENEW_MS) return;
    const askedAt = Date.now();
    const wasHolder = this.#isHolder;
    this.#isHolder = false;
    this.#isHolder = await leases.hold(name, this.#owner, LEASE_MS);
    this.#heldAt = askedAt;
    if (this.#isHolder !== wasHolder)
      onEvent({ type: this.#isHolder ? 'leaseTaken' : 'leaseLost', name });
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#isKicked || this.#isStopped) {
        resolve();
        return;
      }
      const timer = setTimeout(resolve, this.#options.pauseMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#isKicked = false;
    this.#wake = undefined;
  }
}
