/** A worker of one kind's queue: delivery → attempt → outcome → next step → settled delivery. */
import { randomUUID } from 'node:crypto';
import { type Delivery, readRefused } from '../amqp/index.ts';
import { type KindsOptions, requireKind } from '../declaration/declareTopology.ts';
import { fault, TopologyError } from '../errors.ts';
import { isAtLeast } from '../plan/brokerProfile.ts';
import type { PlannedKind, TopologyPlan } from '../plan/topologyPlan.ts';
import { crashesOf, crashRisk } from '../retry/crashRisk.ts';
import { type NextStep, nextStep } from '../retry/nextStep.ts';
import { errorClass, type Hold, type Outcome } from '../retry/outcome.ts';
import { CircuitBreaker } from './circuitBreaker.ts';
import type { ClockTimer } from './clock.ts';
import { deadLetter, isGivenBack, performStep, type WorkerPublisher } from './performStep.ts';
import { Quarantine, RedeliveriesWithoutCrash } from './quarantine.ts';
import type { AttemptResult, QueueWorkerOptions } from './queueWorkerOptions.ts';
import {
  beforeDeadline,
  CrashLimitExceeded,
  Deadlines,
  RunningTask,
  type RunOptions,
  readAttempt,
  runAttempt,
  WorkerStopped,
} from './runAttempt.ts';
import type { SettleMethod } from './stepSettlement.ts';
import {
  type LinkCallbacks,
  type LinkConsumer,
  type LinkPublisher,
  ownLink,
  type WorkerLink,
} from './workerLink.ts';

const DEFAULT_PREFETCH_COUNT = 50;
const DEFAULT_SUSPECT_CONCURRENCY = 4;
/** The broker takes an unsettled message away after 30 minutes, and closes the channel with it. */
const LONGEST_HOLD_MS = 15 * 60_000;

/** How a worker was stopped. */
export interface DrainReport {
  /** Deliveries that were settled during the stop. */
  readonly finishedCount: number;
  /** Deliveries that were requeued because they were not settled in time. */
  readonly requeuedCount: number;
}

/**
 * Consumes the queue of one kind until it is closed. It consumes again after a lost connection, and never settles a
 * delivery twice.
 */
export class QueueWorker<Message = Buffer, Effect = unknown> {
  /** Name of the worker on connections and dead letters. */
  readonly id: string;
  readonly #options: QueueWorkerOptions<Message, Effect>;
  readonly #prefetchCount: number;
  readonly #concurrency: number;
  readonly #limiter: Limiter;
  readonly #quarantine: Quarantine;
  readonly #redeliveriesWithoutCrash = new RedeliveriesWithoutCrash();
  readonly #circuitBreaker: CircuitBreaker;
  readonly #link: WorkerLink;
  readonly #runOptions: RunOptions<Message, Effect>;
  #plan: TopologyPlan | undefined;
  /** The kind as planned for this broker; before the first connection, as declared. */
  #kind: PlannedKind;
  /** False up to 4.2, because the broker counts a requeue like a crash there. */
  #isRequeueFree = true;
  /** Attempts whose handler has not answered yet; those that answer at once are never in it. */
  readonly #running = new Set<RunningTask<Message>>();
  /** Attempts that ended with `hold`, until one of the same message ends otherwise. */
  readonly #held = new Map<RunningTask<Message>, HeldTask<Message>>();
  /** True once a stop or a pause gives back what has not begun. */
  #isGivingBack = false;
  /** Messages that were given back before they had begun. */
  #givenBackCount = 0;
  /** Messages that arrived while this worker was being stopped. */
  #lateCount = 0;
  #isStopping = false;
  #isPaused = false;
  #onPaused: (() => void)[] = [];
  #consumer: LinkConsumer | undefined;
  #publisher: LinkPublisher | undefined;

  private constructor(options: QueueWorkerOptions<Message, Effect>, link: WorkerLink | undefined) {
    requireKind(options.declaration, options.kind);
    requireCounts(options);
    this.#options = options;
    this.#link = link ?? ownLink(options);
    const { clock } = this.#link;
    this.#kind = kindIn(options.declaration.kinds as readonly PlannedKind[], options.kind);
    this.#runOptions = {
      run: options.run,
      deadlines: new Deadlines(options.deadlineMs ?? this.#kind.deadlineMs, clock),
      onLong: options.onLong,
    };
    this.id = options.id ?? randomUUID();
    this.#prefetchCount = options.prefetchCount ?? DEFAULT_PREFETCH_COUNT;
    this.#concurrency = Math.min(options.concurrency ?? Infinity, this.#prefetchCount);
    this.#limiter = new Limiter(this.#concurrency);
    this.#quarantine = this.#openQuarantine();
    this.#circuitBreaker = new CircuitBreaker(
      options.circuitBreaker ?? {},
      (state) => {
        options.onEvent?.({ type: 'circuitBreaker', queue: this.#kind.queue, state });
        this.#regulatePrefetch();
        this.#runHeld();
      },
      clock,
    );
  }

  /**
   * Connects, asserts the topology and begins to consume.
   * @param link how it reaches the broker; default: two connections of its own.
   * @throws TopologyError `DECLARATION_INVALID` before it connects, if declaration, kind or a count is wrong; otherwise as
   * `assertTopology`, if the broker cannot carry the declaration.
   */
  static async open<Message = Buffer, Effect = unknown, Kinds extends KindsOptions = KindsOptions>(
    options: QueueWorkerOptions<Message, Effect, Kinds>,
    link?: WorkerLink,
  ): Promise<QueueWorker<Message, Effect>> {
    const worker = new QueueWorker<Message, Effect>(options, link);
    try {
      await worker.#connect();
    } catch (error) {
      // The publisher may be open already, and would keep the process running.
      await worker.close();
      throw error;
    }
    return worker;
  }

  /** True while the consuming connection is up. */
  get isConsuming(): boolean {
    return this.#consumer?.isUp === true;
  }

  /** True while both connections are up: the one that consumes, and the one that publishes dead letters. */
  get isUp(): boolean {
    return this.isConsuming && this.#publisher?.isUp === true;
  }

  /** Why the broker does not let this user read the queue; undefined while it does. It is tried again every few seconds. */
  get refusal(): Error | undefined {
    return this.#consumer?.refusal;
  }

  /** Deliveries that are not settled. */
  get inFlightCount(): number {
    return this.#consumer?.unsettledCount ?? 0;
  }

  /** Message ids of the deliveries that are not settled, prefetched ones included. */
  get unsettledIds(): string[] {
    return this.#consumer?.unsettledIds ?? [];
  }

  /** Milliseconds since 1970 at which the oldest unsettled delivery arrived; undefined without any. */
  get oldestReceivedAtMs(): number | undefined {
    return this.#consumer?.oldestReceivedAtMs;
  }

  /** Dead letters and messages for a later tier whose publish has no result yet. */
  get pendingPublishCount(): number {
    return this.#publisher?.pendingCount ?? 0;
  }

  /** True while an alarm of the broker keeps the worker from publishing dead letters. */
  get isBlocked(): boolean {
    return this.#publisher?.isBlocked === true;
  }

  /**
   * Why the topology differs from the declaration and cannot be restored; undefined if it does not differ. Checked every
   * `checkIntervalMs`.
   */
  get topologyFault(): string | undefined {
    return this.#link.topologyFault;
  }

  /**
   * Stops consuming, requeues what has not begun and waits for running attempts; deliveries that are unsettled at the
   * deadline are requeued too. Before RabbitMQ 4.3 a message near its crash limit is run instead of requeued.
   * @param drainMs must be shorter than the time that the process has for its stop.
   */
  async drain(drainMs: number): Promise<DrainReport> {
    this.#circuitBreaker.stop();
    this.#isStopping = true;
    this.#givenBackCount = 0;
    this.#lateCount = 0;
    const heldCount = this.inFlightCount;
    this.#limiter.hold();
    const atDeadlineCount =
      (await this.#consumer?.drain(drainMs, () => {
        // Not earlier: the broker would deliver them to this worker again.
        this.#returnUnbegun();
      })) ?? 0;
    const reason = new WorkerStopped(`the worker was stopped, and ${drainMs} ms are over`);
    for (const task of this.#running) task.abort(reason);
    const requeuedCount = this.#givenBackCount + atDeadlineCount;
    const finishedCount = Math.max(0, heldCount + this.#lateCount - requeuedCount);
    return { finishedCount, requeuedCount };
  }

  /** True between `pause` and `resume`. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /**
   * Stops consuming and requeues what has not begun, so that a long pause keeps no message from other workers; running attempts
   * go on. Before RabbitMQ 4.3 a message near its crash limit is run instead of requeued.
   * @returns once the broker sends nothing more.
   */
  async pause(): Promise<void> {
    this.#isPaused = true;
    this.#limiter.hold();
    this.#regulatePrefetch();
    if (this.#consumer?.isPaused === false)
      await new Promise<void>((resolve) => this.#onPaused.push(resolve));
    if (!this.#isStillPaused() || this.#isStopping) return;
    // Not earlier: the broker would deliver them to this worker again.
    this.#returnUnbegun();
  }

  /** Consumes again after a pause. */
  resume(): void {
    this.#isPaused = false;
    for (const resolve of this.#onPaused.splice(0)) resolve();
    if (!this.#isStopping) {
      this.#isGivingBack = false;
      this.#limiter.release();
    }
    this.#regulatePrefetch();
  }

  /** A method, because the value may change during an await, which the compiler does not assume of a property. */
  #isStillPaused(): boolean {
    return this.#isPaused;
  }

  /** Drains, then closes both connections. */
  async close(drainMs = 0): Promise<DrainReport> {
    const report = await this.drain(drainMs);
    await this.#consumer?.close();
    await this.#publisher?.close();
    return report;
  }

  async #connect(): Promise<void> {
    const callbacks: LinkCallbacks = {
      workerId: this.id,
      queue: this.#kind.queue,
      onPlan: (plan) => {
        this.#setPlan(plan);
      },
      onOpen: () => {
        this.#quarantine.reset();
      },
      onLost: (deliveries) => {
        for (const { messageId } of deliveries) this.#redeliveriesWithoutCrash.add(messageId);
        for (const task of [...this.#held.keys()]) this.#forgetHeld(task);
      },
      onChange: (settled) => {
        this.#quarantine.onChange(settled);
        if (this.#onPaused.length > 0 && this.#consumer?.isPaused !== false)
          for (const resolve of this.#onPaused.splice(0)) resolve();
      },
      onDelivery: (delivery) => {
        const { queue } = this.#kind;
        if (this.#isStopping) this.#lateCount += 1;
        if (delivery.isRedelivered) this.#options.onEvent?.({ type: 'redelivered', queue });
        this.#quarantine.admit(delivery);
      },
    };
    this.#publisher = await this.#link.openPublisher(callbacks);
    this.#consumer = await this.#link.openConsumer(callbacks);
    this.#regulatePrefetch();
    await this.#firstPull(this.#consumer);
  }

  /**
   * AMQP has no request that asks for the right to read a queue, so the answer to the first pull tells. Its message begins
   * after `open` has returned, since a handler may use the worker.
   * @throws TopologyError `BROKER_REFUSED`
   */
  async #firstPull(consumer: LinkConsumer): Promise<void> {
    const pulled = consumer.pulled();
    if (pulled === undefined) return;
    this.#limiter.hold();
    await pulled;
    const { refusal } = consumer;
    if (refusal !== undefined) throw readRefused(this.#kind.queue, refusal);
    setImmediate(() => {
      if (!this.#isStopping && !this.#isPaused) this.#limiter.release();
    });
  }

  /** What depends on the plan is computed here, and not for each message. */
  #setPlan(plan: TopologyPlan): void {
    this.#plan = plan;
    this.#kind = kindIn(plan.kinds, this.#options.kind);
    this.#isRequeueFree = isAtLeast(plan.broker, '4.3.0');
  }

  #openQuarantine(): Quarantine {
    return new Quarantine({
      riskOf: (delivery) => {
        if (this.#plan === undefined || !delivery.isRedelivered) return 'none';
        const redeliveryCount = this.#redeliveriesWithoutCrash.countOf(delivery.messageId);
        return crashRisk(this.#plan.broker, this.#kind, delivery, redeliveryCount);
      },
      suspectConcurrency: this.#options.suspectConcurrency ?? DEFAULT_SUSPECT_CONCURRENCY,
      isRequeueFree: () => this.#isRequeueFree,
      unsettledCount: () => this.inFlightCount,
      isPaused: () => this.#consumer?.isPaused === true,
      maxInFlight: () => (this.#isPaused ? 0 : Math.min(this.#concurrency, this.#maxInFlight)),
      pull: async () => (await this.#consumer?.pull()) === true,
      run: (delivery) => {
        this.#take(delivery);
      },
      onMode: (mode) => {
        this.#options.onEvent?.({ type: 'quarantine', queue: this.#kind.queue, mode });
        this.#regulatePrefetch();
      },
    });
  }

  /**
   * @returns false if the delivery is not requeued, because one more requeue would bring the message too near its crash
   * limit.
   */
  #requeue(delivery: Delivery): boolean {
    if (this.#plan !== undefined && !this.#isRequeueFree) {
      const crashes = crashesOf(this.#plan.broker, this.#kind, delivery);
      if (crashes + 1 >= this.#kind.crashLimit) return false;
      this.#redeliveriesWithoutCrash.add(delivery.messageId);
    }
    delivery.requeue();
    return true;
  }

  /** Sets the prefetch that quarantine, circuit breaker and a pause allow together. */
  #regulatePrefetch(): void {
    const isPrefetching = this.#quarantine.mode === 'prefetch' && !this.#isPaused;
    const allowedCount = isPrefetching ? this.#prefetchCount : 0;
    this.#consumer?.setPrefetch(Math.min(allowedCount, this.#maxInFlight));
    this.#quarantine.onChange();
  }

  /** A message that is held is the one that probes, so no other is taken for it. */
  get #maxInFlight(): number {
    const { state, maxInFlight } = this.#circuitBreaker;
    return state.type === 'probing' && this.#held.size > 0 ? 0 : maxInFlight;
  }

  #take(delivery: Delivery): void {
    const { openingCount } = this.#circuitBreaker;
    const task = this.#read(delivery);
    if (task instanceof Promise)
      void task.then((read) => {
        if (read !== undefined) this.#enter(read, openingCount);
      });
    else if (task !== undefined) this.#enter(task, openingCount);
  }

  /** Begins an attempt, now or when the limiter lets it in; at a stop the message is given back instead. */
  #enter(task: RunningTask<Message>, openingCount: number): void {
    if (this.#isGivingBack && this.#requeue(task.delivery)) {
      this.#forgetHeld(task);
      this.#givenBackCount += 1;
      return;
    }
    const entered = this.#limiter.enter();
    if (entered === undefined) this.#begin(task, openingCount);
    else
      void entered.then((hasEntered) => {
        if (hasEntered) this.#begin(task, openingCount);
        else this.#enter(task, openingCount);
      });
  }

  /** Begins an attempt that the limiter let in. From here on a promise is made only where something must be awaited. */
  #begin(task: RunningTask<Message>, openingCount: number): void {
    const { delivery } = task;
    // The channel may have been lost meanwhile; then the broker delivers the message again. Or the circuit breaker opened
    // meanwhile: the message is requeued, and no attempt is spent. The broker does not deliver it to this worker at once,
    // because the consumer was cancelled before.
    const held = this.#held.get(task);
    const isLate =
      held === undefined
        ? this.#circuitBreaker.hasOpenedSince(openingCount)
        : this.#circuitBreaker.state.type === 'open';
    if (held !== undefined) held.isWaiting = isLate;
    if (isGivenBack(delivery) || (isLate && (held !== undefined || this.#requeue(delivery)))) {
      this.#limiter.leave();
      return;
    }
    const kind = this.#kind;
    const startedAt = this.#link.clock.date();
    const outcome = runAttempt(task, kind, this.#runOptions);
    if (outcome instanceof Promise) {
      this.#running.add(task);
      void outcome.then((answer) => {
        this.#running.delete(task);
        this.#end({ task, kind, startedAt, outcome: answer });
      });
    } else this.#end({ task, kind, startedAt, outcome });
  }

  /** @returns undefined if no attempt may be made; the message is then dead-lettered. A promise only where `read` returns one. */
  #read(
    delivery: Delivery,
  ): RunningTask<Message> | undefined | Promise<RunningTask<Message> | undefined> {
    const { read, onEvent } = this.#options;
    const kind = this.#kind;
    try {
      const attempt = readAttempt({ kind, broker: this.#plan?.broker }, delivery);
      if (!attempt.agreesWithDeaths)
        onEvent?.({ type: 'attemptMismatch', queue: kind.queue, attempt: attempt.number });
      const message = read === undefined ? (delivery.body as Message) : read(delivery, kind);
      if (!(message instanceof Promise)) return new RunningTask(message, attempt, delivery);
      return beforeDeadline(message, this.#runOptions.deadlines).then(
        (late) => new RunningTask(late, attempt, delivery),
        async (error: unknown) => {
          await this.#refuse(delivery, error);
          return undefined;
        },
      );
    } catch (error) {
      void this.#refuse(delivery, error);
      return undefined;
    }
  }

  async #refuse(delivery: Delivery, error: unknown): Promise<void> {
    if (isGivenBack(delivery)) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.onEvent?.({ type: 'refused', queue: this.#kind.queue, reason });
    const isConfirmed = await deadLetter(this.#workerPublisher.publisher, this.#kind, {
      delivery,
      details: {
        cause: error instanceof CrashLimitExceeded ? 'crashed' : 'malformed',
        error,
        attempt: 0,
        workerId: this.id,
      },
    });
    if (isConfirmed) delivery.ack();
    else delivery.nackToDeadLetterExchange();
  }

  #end({ task, kind, startedAt, outcome }: EndedRun<Message, Outcome<Effect> | Hold>): void {
    // Before a copy or a note is published: it waits for the broker, and must not hold the place of a handler meanwhile.
    this.#limiter.leave();
    if (outcome.type === 'hold') {
      this.#hold({ task, kind, startedAt, outcome });
      return;
    }
    this.#forgetHeld(task);
    // A rejected job caused its failure itself, so it is not a sign of an outage.
    if (outcome.type === 'retry')
      this.#circuitBreaker.record(errorClass(outcome.error), outcome.error);
    else this.#circuitBreaker.record(undefined);
    this.#finish({ task, kind, startedAt, outcome });
  }

  /** The handler is given this message again when the circuit breaker probes or closes. */
  #hold(ended: EndedRun<Message, Hold>): void {
    const { task, outcome } = ended;
    const { clock } = this.#link;
    const held = this.#held.get(task);
    if (held !== undefined) held.isWaiting = true;
    else if (!isGivenBack(task.delivery))
      this.#held.set(task, {
        ended,
        untilMs: clock.elapsedMs() + LONGEST_HOLD_MS,
        timer: clock.after(LONGEST_HOLD_MS, () => {
          if (this.#held.get(task)?.isWaiting === true) this.#returnHeld(task);
        }),
        isWaiting: true,
      });
    this.#circuitBreaker.hold(errorClass(outcome.error));
    if (this.#isGivingBack || (held !== undefined && clock.elapsedMs() >= held.untilMs))
      this.#returnHeld(task);
  }

  /** One probes; all of them run once the circuit breaker is closed. */
  #runHeld(): void {
    const { openingCount, state } = this.#circuitBreaker;
    if (state.type === 'open') return;
    for (const [task, held] of [...this.#held]) {
      if (!held.isWaiting) continue;
      held.isWaiting = false;
      this.#enter(task, openingCount);
      if (state.type === 'probing') return;
    }
  }

  /** Back to its queue. Near the crash limit, before 4.3, its attempt counts as failed instead. */
  #returnHeld(task: RunningTask<Message>): void {
    const held = this.#held.get(task);
    if (held === undefined) return;
    this.#forgetHeld(task);
    if (this.#requeue(task.delivery)) this.#givenBackCount += 1;
    else
      this.#finish({ ...held.ended, outcome: { type: 'retry', error: held.ended.outcome.error } });
    this.#regulatePrefetch();
  }

  #forgetHeld(task: RunningTask<Message>): void {
    this.#held.get(task)?.timer.cancel();
    this.#held.delete(task);
  }

  /** Gives back what has not begun, and what is held. */
  #returnUnbegun(): void {
    this.#isGivingBack = true;
    this.#limiter.dismiss();
    for (const [task, { isWaiting }] of [...this.#held]) if (isWaiting) this.#returnHeld(task);
  }

  #finish({ task, kind, startedAt, outcome }: EndedRun<Message, Outcome<Effect>>): void {
    const { message, attempt, delivery } = task;
    const step = nextStep(kind, attempt, outcome);
    const endedAt = this.#link.clock.date();
    const result = { message, kind, attempt, delivery, outcome, step, startedAt, endedAt };
    if (isGivenBack(delivery) && (step.type === 'deadLetter' || step.type === 'skip')) {
      this.#tellUnconfirmed(result, { type: 'wait', delayMs: 0 });
      return;
    }
    const method = performStep(this.#workerPublisher, result);
    if (method instanceof Promise)
      void method.then((published) => {
        this.#settle(result, published);
      });
    else this.#settle(result, method);
  }

  /** @param method undefined if a publish was not confirmed; the delivery is nacked then. */
  #settle(result: AttemptResult<Message, Effect>, method: SettleMethod | undefined): void {
    const { settle } = this.#options;
    const { kind, attempt, delivery, step } = result;
    if (method === undefined) {
      this.#tellUnconfirmed(result, nextStep(kind, attempt, { type: 'retry' }));
      return;
    }
    if (settle === undefined) {
      delivery[method]();
      return;
    }
    settle({
      ...result,
      settleDelivery: () => {
        delivery[method]();
      },
      refuse: async (error) => {
        if (step.type === 'deadLetter' || step.type === 'skip') delivery.ack();
        else await this.#refuse(delivery, error);
      },
    });
  }

  #tellUnconfirmed(result: AttemptResult<Message, Effect>, step: NextStep): void {
    const { outcome } = result;
    const error = 'error' in outcome ? outcome.error : undefined;
    this.#options.onUnconfirmed?.({ ...result, outcome: { type: 'retry', error }, step });
  }

  get #workerPublisher(): WorkerPublisher {
    if (this.#publisher === undefined) throw new Error('the worker is not open');
    return { publisher: this.#publisher, workerId: this.id };
  }
}

/** A handler that has answered, or whose deadline passed. */
interface EndedRun<Message, Answer> {
  readonly task: RunningTask<Message>;
  readonly kind: PlannedKind;
  readonly startedAt: Date;
  readonly outcome: Answer;
}

/** A message that its handler could not work on, because something that it needs is down. */
interface HeldTask<Message = unknown> {
  readonly ended: EndedRun<Message, Hold>;
  /** By the clock of the worker. */
  readonly untilMs: number;
  readonly timer: ClockTimer;
  /** False while its handler runs again, or is about to. */
  isWaiting: boolean;
}

function kindIn(kinds: readonly PlannedKind[], name: string): PlannedKind {
  const kind = kinds.find(({ kind: candidate }) => candidate === name);
  if (kind === undefined) throw new Error(`the plan has no kind '${name}'`);
  return kind;
}

/** Lets at most `limit` handlers run at a time; the others wait in their order, at most as many as the prefetch. */
export class Limiter {
  readonly #limit: number;
  readonly #waiting: ((hasEntered: boolean) => void)[] = [];
  #runningCount = 0;
  #isHeld = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * @returns a promise only if the caller must wait, because a promise for each message would slow the worker; false if it
   * was dismissed.
   */
  enter(): Promise<boolean> | undefined {
    if (!this.#isHeld && this.#runningCount < this.#limit) {
      this.#runningCount += 1;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    this.#runningCount -= 1;
    this.#letIn();
  }

  /** Lets nobody in until `release` or `dismiss`. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#letIn();
  }

  /** Sends away all who wait, and lets in those who come from now on. */
  dismiss(): void {
    this.#isHeld = false;
    for (const dismissed of this.#waiting.splice(0)) dismissed(false);
  }

  #letIn(): void {
    while (!this.#isHeld && this.#runningCount < this.#limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#runningCount += 1;
      next(true);
    }
  }
}

const COUNTS = ['prefetchCount', 'concurrency', 'suspectConcurrency', 'deadlineMs'] as const;

/** @throws TopologyError `DECLARATION_INVALID`: with a prefetch of 0 or NaN a worker would never consume anything. */
function requireCounts(options: Pick<QueueWorkerOptions, (typeof COUNTS)[number]>): void {
  const faults = COUNTS.flatMap((name) => {
    const count = options[name];
    const isValid = count === undefined || (count >= 1 && !Number.isNaN(count));
    return isValid ? [] : [fault('COUNT_OUT_OF_RANGE', name, `${count} must be at least 1`)];
  });
  if (faults.length > 0) throw new TopologyError('DECLARATION_INVALID', faults);
}
