/** Asks whether jobs are cancelled, with one statement for all that ask in the same turn of the event loop. */
import pTimeout from 'p-timeout';
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
