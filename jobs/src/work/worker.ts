/** The worker runtime: delivery → job → attempt → next step → settlement. One worker serves one kind's queue. */
import { randomUUID } from 'node:crypto';
import {
  type Attempt,
  attemptOf,
  CAUSE_HEADER,
  type Declaration,
  type KindDeclaration,
  nextStep,
  parkExchange,
  readDeaths,
} from '@fit/topology';
import {
  type AssertOptions,
  assertTopology,
  Consumer,
  type Delivery,
  Publisher,
  type SessionEvent,
} from '@fit/topology/amqp';
import type { JobListener } from '../event.ts';
import { describeError } from '../record/fingerprint.ts';
import { decodeJob, type JobMessage, MalformedMessage } from '../record/jobMessage.ts';
import type { Batcher } from '../settle/batcher.ts';
import { type AttemptEnd, type Settlement, settlementOf } from '../settle/settlement.ts';
import { openSettler } from '../settle/settler.ts';
import type { JobStore } from '../store/jobStore.ts';
import type { Handlers } from './handler.ts';
import { Limiter } from './limiter.ts';
import { runAttempt } from './runAttempt.ts';

export interface WorkerOptions extends AssertOptions {
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly handlers: Handlers;
  readonly store: JobStore;
  /** Deliveries unsettled at a time; also the largest batch. */
  readonly prefetchCount: number;
  /** Handlers that run at a time; at most the prefetch. */
  readonly concurrency: number;
  readonly deadlineMs: number;
  readonly onEvent: JobListener;
  readonly onSession: (event: SessionEvent) => void;
}

export class Worker {
  readonly id = randomUUID();
  readonly #options: WorkerOptions;
  readonly #settler: Batcher<Settlement>;
  readonly #limiter: Limiter;
  #consumer: Consumer | undefined;
  #publisher: Publisher | undefined;

  private constructor(options: WorkerOptions) {
    this.#options = options;
    this.#limiter = new Limiter(options.concurrency);
    this.#settler = openSettler({ ...options, maxCount: options.prefetchCount });
  }

  /** @throws TopologyError where the broker cannot carry the declaration. */
  static async open(options: WorkerOptions): Promise<Worker> {
    const worker = new Worker(options);
    const session = { url: options.amqpUrl, onEvent: options.onSession };
    // Two connections: an alarm blocks publishers, and must not stop acks with them.
    worker.#publisher = await Publisher.open({
      ...session,
      label: `worker ${worker.id} publishes`,
      prepare: async (model) => {
        await assertTopology(model, options.declaration, options);
      },
    });
    worker.#consumer = await Consumer.open({
      ...session,
      label: `worker ${worker.id} consumes`,
      queue: options.kind.queue,
      prefetchCount: options.prefetchCount,
      prepare: async (model) => {
        await assertTopology(model, options.declaration, options);
      },
      onDelivery: (delivery) => {
        void worker.#take(delivery);
      },
    });
    return worker;
  }

  get isConsuming(): boolean {
    return this.#consumer?.isUp === true;
  }

  get inFlightCount(): number {
    return this.#consumer?.unsettledCount ?? 0;
  }

  /** Takes nothing new, finishes what runs, gives the rest back. */
  async close(drainMs: number): Promise<void> {
    await this.#consumer?.drain(drainMs);
    this.#settler.stop();
    await this.#consumer?.close();
    await this.#publisher?.close();
  }

  async #take(delivery: Delivery): Promise<void> {
    const { kind, onEvent } = this.#options;
    if (delivery.isRedelivered) onEvent({ type: 'redelivered', queue: kind.queue });
    const job = this.#read(delivery);
    if (job === undefined) return;
    await this.#limiter.enter();
    try {
      await this.#attempt(delivery, job);
    } finally {
      this.#limiter.leave();
    }
  }

  /** @returns undefined where the message is no job of this kind; it is then put aside. */
  #read(delivery: Delivery): (JobMessage & { attempt: Attempt }) | undefined {
    const { kind, handlers, onEvent } = this.#options;
    try {
      const message = decodeJob(delivery.body, (name) => handlers.get(name)?.payload);
      const attempt = attemptOf(kind, delivery.routingKey, readDeaths(delivery.headers));
      if (attempt === undefined)
        throw new MalformedMessage(`routing key '${delivery.routingKey}' is none of this kind's`);
      if (!attempt.agreesWithDeaths)
        onEvent({ type: 'attemptMismatch', queue: kind.queue, attempt: attempt.number });
      return { ...message, attempt };
    } catch (error) {
      void this.#refuse(delivery, error);
      return undefined;
    }
  }

  async #attempt(delivery: Delivery, message: JobMessage & { attempt: Attempt }): Promise<void> {
    const { kind, handlers, store, deadlineMs } = this.#options;
    const handler = handlers.get(message.kind);
    // Its connection went away while it waited its turn: the broker gives it to somebody again.
    if (handler === undefined || !delivery.isCurrent) return;
    const { attempt, ...rest } = message;
    const job = { ...rest, attempt: attempt.number };
    const startedAt = new Date();
    const outcome = await runAttempt(handler, job, {
      deadlineMs,
      // Only a label for those who watch; the attempt itself does not depend on it.
      onLong: () =>
        void store
          .change('run', [{ id: job.id, generation: job.generation }], new Date())
          .catch(() => undefined),
    });
    const step = nextStep(outcome.type, attempt);
    const end: AttemptEnd = {
      ...{ job, delivery, kind, attempt, outcome, step },
      ...{ startedAt, endedAt: new Date(), workerId: this.id },
    };
    const settlement = settlementOf(end);
    this.#report(end, settlement.change.attempt?.error?.class);
    if (step.type === 'park' && outcome.type === 'reject')
      if (!(await this.#park(delivery, 'fatal', outcome.error))) return;
    this.#settler.add(settlement);
  }

  #report(end: AttemptEnd, errorClass: string | undefined): void {
    const { job, kind, outcome, step, startedAt, endedAt } = end;
    this.#options.onEvent({
      type: 'attempted',
      kind: job.kind,
      queue: kind.queue,
      outcome: outcome.type,
      durationMs: endedAt.getTime() - startedAt.getTime(),
      ...(errorClass === undefined ? {} : { errorClass }),
      ...(step.type === 'wait' ? { delayMs: step.delayMs } : {}),
    });
  }

  async #refuse(delivery: Delivery, error: unknown): Promise<void> {
    const { kind, onEvent } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    onEvent({ type: 'refused', queue: kind.queue, reason });
    if (await this.#park(delivery, 'malformed', error)) delivery.ack();
  }

  /**
   * Confirmed, then acked by the caller: a crash in between doubles the letter only, the other order would lose it.
   * @returns false where the park was not confirmed; the message then waits a tier and is tried again.
   */
  async #park(delivery: Delivery, cause: 'fatal' | 'malformed', error: unknown): Promise<boolean> {
    const { class: errorClass, message } = describeError(error);
    const result = await this.#publisher?.publish({
      exchange: parkExchange(this.#options.kind.queue),
      key: delivery.routingKey,
      id: delivery.messageId ?? randomUUID(),
      body: delivery.body,
      headers: {
        [CAUSE_HEADER]: cause,
        'death-class': errorClass,
        'death-message': message,
        'death-worker': this.id,
      },
    });
    if (result === 'confirmed') return true;
    delivery.reject();
    return false;
  }
}
