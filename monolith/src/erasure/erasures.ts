/**
 * Deletes users from all collections and queues. A request stores a tombstone and is answered; the passes over the collections are a
 * background task, which another process continues if this one dies. The first pass follows at once. The last one follows after the
 * longest retry path, when no message and no attempt that was under way can store anything more.
 */
import { type JobListener, LeasedLoop } from '@fit/jobs';
import type { DatabaseClock, LeaseStore } from '@fit/jobs/store';
import type { Erasure, ErasureStore } from '@fit/service';
import type { UserTraces } from './store/userTraces.ts';

export interface ErasuresParts {
  /** With the limits of background tasks. */
  readonly store: ErasureStore;
  readonly traces: Pick<UserTraces, 'erase'>;
  /** Removes the messages of a user that wait in dead-letter queues. */
  readonly eraseFromBroker: (userId: string) => Promise<void>;
  readonly leases: LeaseStore;
  readonly clock: Pick<DatabaseClock, 'now'>;
  /** From the request to the last pass, in milliseconds: the longest retry path and a margin. */
  readonly settleMs: number;
  readonly onEvent: JobListener;
}

/** Deletions in one round, which has to end before its lease does. */
const ROUND_COUNT = 5;
const PAUSE_MS = 5_000;
/** What a run or a batch holds back is tried again after this time. */
const AGAIN_MS = 30_000;

export class Erasures {
  readonly #parts: ErasuresParts;
  #loop: LeasedLoop | undefined;

  constructor(parts: ErasuresParts) {
    this.#parts = parts;
  }

  start(): void {
    const { leases, onEvent } = this.#parts;
    this.#loop = new LeasedLoop({
      name: 'erasures',
      leases,
      onEvent,
      pauseMs: PAUSE_MS,
      round: () => this.round(),
    });
  }

  async stop(): Promise<void> {
    await this.#loop?.stop();
  }

  /** Begins the deletion of a user, once. @throws StoreUnavailable */
  async begin(userId: string): Promise<Erasure | undefined> {
    const { store, clock } = this.#parts;
    await store.begin(userId, clock.now());
    this.#loop?.wake();
    return await store.find(userId);
  }

  /** @returns the deletion of a user; undefined where there was none within 30 days. */
  async find(userId: string): Promise<Erasure | undefined> {
    return await this.#parts.store.find(userId);
  }

  /** Carries out the passes that are due. @returns whether more of them are. */
  async round(): Promise<boolean> {
    const due = await this.#parts.store.due(this.#parts.clock.now(), ROUND_COUNT);
    for (const erasure of due) await this.#pass(erasure);
    return due.length === ROUND_COUNT;
  }

  async #pass({ _id, userId, requestedAt }: Erasure): Promise<void> {
    if (userId === undefined) return;
    const { store, traces, eraseFromBroker, clock, settleMs } = this.#parts;
    const lastAtMs = requestedAt.getTime() + settleMs;
    const beganAtMs = clock.now().getTime();
    await eraseFromBroker(userId);
    const isErased = await traces.erase(userId);
    if (beganAtMs < lastAtMs) await store.postpone(_id, new Date(lastAtMs));
    else if (isErased) await store.complete(_id, clock.now());
    else await store.postpone(_id, new Date(beganAtMs + AGAIN_MS));
  }
}
