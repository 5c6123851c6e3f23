/** Stands in for a worker: each delivery of a probe meets its next fate. Settles as the worker does (`performStep`). */
import { setTimeout as pause } from 'node:timers/promises';
import type { PlannedKind } from '@fit/topology';
import { attemptOf, nextStep } from '@fit/topology';
import { Consumer, type Delivery, type Publisher } from '@fit/topology/amqp';
import { type DeadLetterDetails, deadLetter, performStep } from '@fit/topology/work';
import { outcomeOf } from '../simulate/fate.ts';
import type { Logbook } from './logbook.ts';
import type { ProbeFate } from './probe.ts';

export interface AttendantOptions {
  readonly amqpUrl: string;
  readonly kind: PlannedKind;
  readonly publisher: Publisher;
  readonly logbook: Logbook;
}

const LABEL = 'topology verify';
const PREFETCH_COUNT = 100;
const CLOSE_DEADLINE_MS = 5_000;
/** A delivery too many is taken away, so that it does not go round. */
const AFTERWARDS: ProbeFate = { type: 'done' };
const MALFORMED: DeadLetterDetails = {
  cause: 'malformed' as const,
  error: new Error('malformed on purpose'),
  attempt: 0,
  workerId: LABEL,
};

/** Consumes one main queue. */
export class Attendant {
  readonly #options: AttendantOptions;
  #opening: Promise<Consumer>;
  #sinceMs = 0;
  #hasEnded = false;

  constructor(options: AttendantOptions) {
    this.#options = options;
    this.#opening = this.#open();
  }

  /** @throws as `Consumer.open`. */
  async ready(): Promise<void> {
    await this.#opening;
  }

  /** Does not wait for a broker that went away in a crash. */
  async close(): Promise<void> {
    this.#hasEnded = true;
    const closed = this.#opening.then((consumer) => consumer.close());
    await Promise.race([
      closed.catch(() => undefined),
      pause(CLOSE_DEADLINE_MS, 0, { ref: false }),
    ]);
  }

  async #open(): Promise<Consumer> {
    const { amqpUrl: url, kind, logbook } = this.#options;
    return await Consumer.open({
      url,
      label: LABEL,
      queue: kind.queue,
      prefetchCount: PREFETCH_COUNT,
      prepare: () => Promise.resolve(),
      onEvent: logbook.onEvent,
      onOpen: () => (this.#sinceMs = performance.now()),
      onDelivery: (delivery) => {
        // Nobody waits for it, and the virtual host must go whatever happens.
        this.#meet(delivery).catch((error: unknown) => (logbook.failure ??= error));
      },
    });
  }

  async #meet(delivery: Delivery): Promise<void> {
    const { kind, publisher, logbook } = this.#options;
    const visit = logbook.visited(kind, delivery, this.#sinceMs);
    const fate = visit?.probe.fates[visit.index] ?? AFTERWARDS;
    const attempt = attemptOf(kind, delivery.routingKey, delivery.headers);
    if (fate.type === 'crash') {
      await this.#crash();
      return;
    }
    const outcome = fate.type === 'malformed' ? undefined : outcomeOf(fate);
    if (outcome === undefined || attempt === undefined) {
      if (await deadLetter(publisher, kind, { delivery, details: MALFORMED })) delivery.ack();
      else delivery.reject();
      return;
    }
    const step = nextStep(kind, attempt, outcome);
    const at = new Date();
    const end = { message: undefined, kind, attempt, delivery, outcome, step };
    const answer = await performStep(
      { publisher, workerId: LABEL },
      { ...end, startedAt: at, endedAt: at },
    );
    if (answer !== undefined) delivery[answer]();
  }

  /** The connection ends with the delivery unsettled, as when a process dies; then another comes. */
  async #crash(): Promise<void> {
    const consumer = await this.#opening;
    await consumer.close();
    if (!this.#hasEnded) this.#opening = this.#open();
  }
}
