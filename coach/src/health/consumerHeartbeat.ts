/** Liveness of the consumer. An outage of database or broker does not count as stuck, because a restart would not help. */
import type { JobEvent, JobWorker } from '@fit/jobs';
import { Heartbeat } from '@fit/service';
import type { TopologyEvent } from '@fit/topology';

/** How much longer than the longest attempt the consumer may be without an event. */
const MARGIN_MS = 60_000;

export class ConsumerHeartbeat {
  readonly #heartbeat: Heartbeat;
  readonly #worker: () => Pick<JobWorker, 'isUp' | 'inFlightCount'> | undefined;
  /** Stages that the database does not serve. */
  readonly #stagesDown = new Set<string>();

  /**
   * @param deadlineMs the bound of one attempt.
   * @param worker returns undefined until the worker is open.
   */
  constructor(
    deadlineMs: number,
    worker: () => Pick<JobWorker, 'isUp' | 'inFlightCount'> | undefined,
  ) {
    this.#heartbeat = new Heartbeat(deadlineMs + MARGIN_MS);
    this.#worker = worker;
  }

  /** A lost connection is retried within seconds and each try is an event, so no events mean that nothing is tried. */
  onBroker({ type }: TopologyEvent): void {
    if (type === 'connected' || type === 'disconnected' || type === 'connectFailed')
      this.#heartbeat.beat();
  }

  onEvent(event: JobEvent): void {
    if (event.type === 'storeDown') this.#stagesDown.add(event.stage);
    if (event.type === 'storeUp') this.#stagesDown.delete(event.stage);
    this.#heartbeat.beat();
  }

  /** @returns the reason if for too long the consumer was not idle, no attempt ended and no connect was tried; else undefined. */
  check(): string | undefined {
    const worker = this.#worker();
    const isIdle = worker?.isUp === true && worker.inFlightCount === 0;
    if (isIdle || this.#stagesDown.size > 0) this.#heartbeat.beat();
    return this.#heartbeat.check();
  }
}
