/** Whether jobs are cancelled: with one statement for all that ask in the same turn of the event loop, and none while nobody cancels any. */
import pTimeout from 'p-timeout';
import type { CancellationStore } from '../store/cancellationStore.ts';
import type { DatabaseClock } from '../store/databaseClock.ts';
import type { JobStore } from '../store/jobStore.ts';

const NONE: ReadonlySet<string> = new Set();

export class CancelledJobs {
  readonly #jobs: Pick<JobStore, 'findCancelled'>;
  readonly #limitMs: number;
  #asked: string[] = [];
  #answer: Promise<ReadonlySet<string>> | undefined;

  /** @param limitMs longest time of an answer; it must be well below the deadline of an attempt. */
  constructor(jobs: Pick<JobStore, 'findCancelled'>, limitMs: number) {
    this.#jobs = jobs;
    this.#limitMs = limitMs;
  }

  /**
   * While the database does not answer no job counts as cancelled: an outage must spend no attempt, and the end of the attempt
   * waits for the database in any case.
   */
  async has(id: string): Promise<boolean> {
    this.#asked.push(id);
    this.#answer ??= new Promise((resolve) => {
      setImmediate(() => {
        const ids = this.#asked;
        this.#asked = [];
        this.#answer = undefined;
        pTimeout(this.#jobs.findCancelled(ids), { milliseconds: this.#limitMs }).then(
          resolve,
          () => {
            resolve(NONE);
          },
        );
      });
    });
    return (await this.#answer).has(id);
  }
}

/** Time between two looks at the latest cancellation, in milliseconds. */
const WATCH_MS = 1_000;
/**
 * A cancelled job whose message stays on the broker for longer runs after all, and is then done; asking costs a tenth of a job, so it
 * must not go on for ever.
 */
const RECENT_MS = 86_400_000;

/** Looks once a second whether jobs were cancelled lately. */
export class CancellationWatch {
  readonly #cancellations: Pick<CancellationStore, 'latest'>;
  readonly #clock: Pick<DatabaseClock, 'now'>;
  /** Undefined before the first answer: then any job may be cancelled. */
  #latest: { readonly at: Date | undefined } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;

  constructor({
    cancellations,
    clock,
  }: {
    readonly cancellations: Pick<CancellationStore, 'latest'>;
    readonly clock: Pick<DatabaseClock, 'now'>;
  }) {
    this.#cancellations = cancellations;
    this.#clock = clock;
  }

  start(): void {
    void this.#read();
    this.#timer = setInterval(() => void this.#read(), WATCH_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** True: a job whose message arrives may be cancelled. */
  get isRecent(): boolean {
    if (this.#latest === undefined) return true;
    const { at } = this.#latest;
    return at !== undefined && this.#clock.now().getTime() - at.getTime() < RECENT_MS;
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      this.#latest = { at: await this.#cancellations.latest() };
    } catch {
      // What was known before the outage stays.
    } finally {
      this.#isReading = false;
    }
  }
}
