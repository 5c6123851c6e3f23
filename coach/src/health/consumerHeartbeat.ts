/** The consumer's heartbeat: stuck is what a restart would mend, so an outage of store or broker never is. */

import type { JobEvent, JobWorker } from '@fit/jobs';
import { Heartbeat } from '@fit/service';

/** What a pause between two signs of life may last beyond the bound of an attempt. */
const MARGIN_MS = 60_000;

export class ConsumerHeartbeat {
  readonly #pulse: Heartbeat;
  readonly #worker: () => Pick<JobWorker, 'isUp' | 'inFlightCount'> | undefined;
  #isStoreOut = false;

  /**
   * @param deadlineMs bound of one attempt.
   * @param worker undefined until it is open.
   */
  constructor(
    deadlineMs: number,
    worker: () => Pick<JobWorker, 'isUp' | 'inFlightCount'> | undefined,
  ) {
    this.#pulse = new Heartbeat(deadlineMs + MARGIN_MS);
    this.#worker = worker;
  }

  /** A connection that is lost is tried again within seconds, and each try is told: silence means that nobody tries. */
  onSession(): void {
    this.#pulse.beat();
  }

  onEvent(event: JobEvent): void {
    if (event.type === 'storeDown') this.#isStoreOut = true;
    if (event.type === 'storeUp') this.#isStoreOut = false;
    this.#pulse.beat();
  }

  /** @returns why it counts as stuck: neither idle, nor an attempt that ended, nor a try to connect, for too long. */
  check(): string | undefined {
    const worker = this.#worker();
    const isIdle = worker?.isUp === true && worker.inFlightCount === 0;
    if (isIdle || this.#isStoreOut) this.#pulse.beat();
    return this.#pulse.check();
  }
}
