/** The worker: delivery → attempt → outcome → next step → answer. One worker serves one kind's queue. */
import { randomUUID } from 'node:crypto';
import { Consumer, type Delivery, Publisher } from '../amqp/index.ts';
import { assertTopology, TopologyMaintainer } from '../assert/index.ts';
import type { KindsOptions } from '../declaration/declareTopology.ts';
import { requireKind } from '../declaration/requireKind.ts';
import { fault, TopologyError } from '../errors.ts';
import { isAtLeast } from '../plan/brokerProfile.ts';
import type { PlannedKind, TopologyPlan } from '../plan/topologyPlan.ts';
import type { Attempt } from '../retry/attempt.ts';
import { crashesOf, crashRisk } from '../retry/crashes.ts';
import { nextStep } from '../retry/nextStep.ts';
import { errorClass, type Outcome } from '../retry/outcome.ts';
import { performStep, type Sender } from './carryOut.ts';
import { Circuit } from './circuit.ts';
import { type DeadLetterDetails, deadLetter } from './deadLetters.ts';
import { Limiter } from './limiter.ts';
import { Quarantine } from './quarantine.ts';
import { CrashLimitExceeded, readAttempt } from './readAttempt.ts';
import { runAttempt } from './runAttempt.ts';
import { SurvivedReturns } from './survivedReturns.ts';
import type { AttemptEnd, WorkerOptions } from './workerOptions.ts';

const DEFAULT_PREFETCH_COUNT = 50;
const DEFAULT_SUSPECT_CONCURRENCY = 4;

/** Works one kind of job off, until it is closed. A lost connection is made anew; an attempt is never settled twice. */
export class Worker<Message = Buffer, Effect = unknown> {
  readonly id: string;
  readonly #options: WorkerOptions<Message, Effect>;
  readonly #prefetchCount: number;
  readonly #concurrency: number;
  readonly #limiter: Limiter;
  readonly #quarantine: Quarantine;
  readonly #survived = new SurvivedReturns();
  readonly #circuit: Circuit;
  readonly #keeper: TopologyMaintainer;
  #plan: TopologyPlan | undefined;
  #consumer: Consumer | undefined;
  #publisher: Publisher | undefined;

  private constructor(options: WorkerOptions<Message, Effect>) {
    requireKind(options.declaration, options.kind);
    requireCounts(options);
    this.#options = options;
    this.id = options.id ?? randomUUID();
    this.#keeper = new TopologyMaintainer(options.declaration, options);
    this.#prefetchCount = options.prefetchCount ?? DEFAULT_PREFETCH_COUNT;
    this.#concurrency = Math.min(options.concurrency ?? Infinity, this.#prefetchCount);
    this.#limiter = new Limiter(this.#concurrency);
    this.#quarantine = this.#openQuarantine();
    this.#circuit = new Circuit(options.circuitBreaker ?? {}, (state) => {
      options.onEvent?.({ type: 'circuitBreaker', queue: this.#kind.queue, state });
      this.#regulate();
    });
  }

  /**
   * @throws TopologyError `DECLARATION_INVALID` before anything is connected, where declaration, kind or a count is wrong;
   * otherwise where the broker cannot carry the declaration.
   */
  static async open<Message = Buffer, Effect = unknown, Kinds extends KindsOptions = KindsOptions>(
    options: WorkerOptions<Message, Effect, Kinds>,
  ): Promise<Worker<Message, Effect>> {
    const worker = new Worker<Message, Effect>(options);
    try {
      await worker.#connect();
    } catch (error) {
      // The publisher may be open already, and would keep the process alive.
      await worker.close();
      throw error;
    }
    return worker;
  }

  get isConsuming(): boolean {
    return this.#consumer?.isUp === true;
  }

  /** True while both of its connections stand: the one that consumes, and the one that publishes letters. */
  get isUp(): boolean {
    return this.isConsuming && this.#publisher?.isUp === true;
  }

  get inFlightCount(): number {
    return this.#consumer?.unsettledCount ?? 0;
  }

  /** Since when the oldest unsettled delivery is here; undefined without any. */
  get oldestReceivedAtMs(): number | undefined {
    return this.#consumer?.oldestReceivedAtMs;
  }

  /** Letters and messages for a later tier without an answer yet. */
  get pendingPublishCount(): number {
    return this.#publisher?.pendingCount ?? 0;
  }

  /** True while an alarm of the broker keeps it from publishing letters. */
  get isBlocked(): boolean {
    return this.#publisher?.isBlocked === true;
  }

  /** Why the topology is not as declared and cannot be mended; undefined where it is. Looked at every half minute. */
  get topologyFault(): string | undefined {
    return this.#keeper.fault;
  }

  /**
   * Takes nothing new and waits for what runs; what is unsettled at the deadline goes back to the queue.
   * @param drainMs shorter than the grace that the process is stopped with.
   */
  async drain(drainMs: number): Promise<void> {
    this.#circuit.stop();
    await this.#consumer?.drain(drainMs);
  }

  async close(drainMs = 0): Promise<void> {
    await this.drain(drainMs);
    await this.#consumer?.close();
    await this.#publisher?.close();
  }

  async #connect(): Promise<void> {
    const { amqpUrl: url, declaration, onSession, onPublish } = this.#options;
    const session = onSession === undefined ? { url } : { url, onEvent: onSession };
    const prepare: Parameters<typeof Publisher.open>[0]['prepare'] = async (model) => {
      this.#plan = await assertTopology(model, declaration, this.#options);
    };
    // Two connections: an alarm blocks publishers, and must not stop acks with them.
    this.#publisher = await Publisher.open({
      ...session,
      prepare,
      label: `worker ${this.id} publishes`,
      ...(onPublish === undefined ? {} : { onPublish }),
    });
    this.#consumer = await Consumer.open({
      ...session,
      label: `worker ${this.id} consumes`,
      prepare: async (model) => {
        this.#plan = await this.#keeper.prepare(model);
      },
      queue: this.#kind.queue,
      // One by one at first, whatever the prefetch is: see Quarantine.
      prefetchCount: 0,
      onOpen: () => {
        this.#quarantine.reset();
      },
      onLost: (deliveries) => {
        for (const { messageId } of deliveries) this.#survived.add(messageId);
      },
      onChange: (settled) => {
        this.#quarantine.onChange(settled);
      },
      onDelivery: (delivery) => {
        this.#admit(delivery);
      },
    });
    this.#regulate();
  }

  /** As planned for this broker; before the first connection, as declared. */
  get #kind(): PlannedKind {
    const { declaration, kind: name } = this.#options;
    const kinds = this.#plan?.kinds ?? (declaration.kinds as readonly PlannedKind[]);
    const kind = kinds.find(({ kind: candidate }) => candidate === name);
    if (kind === undefined) throw new Error(`the plan has no kind '${name}'`);
    return kind;
  }

  #openQuarantine(): Quarantine {
    return new Quarantine({
      standingOf: (delivery) =>
        this.#plan === undefined
          ? 'none'
          : crashRisk(
              this.#plan.broker,
              this.#kind,
              delivery,
              this.#survived.countOf(delivery.messageId),
            ),
      suspectConcurrency: this.#options.suspectConcurrency ?? DEFAULT_SUSPECT_CONCURRENCY,
      isGiveBackFree: () => this.#isGiveBackFree,
      unsettledCount: () => this.inFlightCount,
      isPaused: () => this.#consumer?.isPaused === true,
      allowedCount: () => Math.min(this.#concurrency, this.#circuit.allowedCount),
      pull: async () => (await this.#consumer?.pull()) === true,
      run: (delivery) => void this.#take(delivery),
      onMode: (mode) => {
        this.#options.onEvent?.({ type: 'quarantine', queue: this.#kind.queue, mode });
        this.#regulate();
      },
    });
  }

  /** Up to 4.2 what is given back counts like a crash. */
  get #isGiveBackFree(): boolean {
    return this.#plan === undefined || isAtLeast(this.#plan.broker, '4.3.0');
  }

  /** @returns false where it is kept, because one more return would bring it too near the limit. */
  #requeue(delivery: Delivery): boolean {
    if (this.#plan !== undefined && !this.#isGiveBackFree) {
      const crashes = crashesOf(this.#plan.broker, this.#kind, delivery);
      if (crashes + 1 >= this.#kind.crashLimit) return false;
      this.#survived.add(delivery.messageId);
    }
    delivery.requeue();
    return true;
  }

  /** The prefetch that quarantine and breaker allow together. */
  #regulate(): void {
    const allowedCount = this.#quarantine.mode === 'open' ? this.#prefetchCount : 0;
    this.#consumer?.setPrefetch(Math.min(allowedCount, this.#circuit.allowedCount));
    this.#quarantine.onChange();
  }

  #admit(delivery: Delivery): void {
    const { queue } = this.#kind;
    if (delivery.isRedelivered) this.#options.onEvent?.({ type: 'redelivered', queue });
    this.#quarantine.admit(delivery);
  }

  async #take(delivery: Delivery): Promise<void> {
    const turn = this.#circuit.turn;
    const task = this.#read(delivery);
    if (task === undefined) return;
    await this.#limiter.enter();
    try {
      // Its connection went away while it waited its turn: the broker gives it to somebody again.
      if (!delivery.isCurrent) return;
      // The breaker opened meanwhile: back to the queue, with the attempt unspent. Nothing brings it here again at once:
      // the cancel was sent before.
      if (this.#circuit.isClosedTo(turn) && this.#requeue(delivery)) return;
      await this.#attempt(delivery, task);
    } finally {
      this.#limiter.leave();
    }
  }

  /** @returns undefined where the message is none to be tried; it is then parked. */
  #read(delivery: Delivery): { message: Message; attempt: Attempt } | undefined {
    const { read, onEvent } = this.#options;
    const kind = this.#kind;
    try {
      const attempt = readAttempt({ kind, broker: this.#plan?.broker }, delivery);
      if (!attempt.agreesWithDeaths)
        onEvent?.({ type: 'attemptMismatch', queue: kind.queue, attempt: attempt.number });
      const message = read === undefined ? (delivery.body as Message) : read(delivery);
      return { message, attempt };
    } catch (error) {
      void this.#refuse(delivery, error);
      return undefined;
    }
  }

  async #refuse(delivery: Delivery, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    this.#options.onEvent?.({ type: 'refused', queue: this.#kind.queue, reason: message });
    const cause = error instanceof CrashLimitExceeded ? 'crashed' : 'malformed';
    const reason: DeadLetterDetails = { cause, error, attempt: 0, workerId: this.id };
    if (await deadLetter(this.#sender.publisher, this.#kind, { delivery, reason })) delivery.ack();
    else delivery.reject();
  }

  async #attempt(
    delivery: Delivery,
    task: { readonly message: Message; readonly attempt: Attempt },
  ): Promise<void> {
    const { run, deadlineMs, onLong, onUnconfirmed } = this.#options;
    const kind = this.#kind;
    const startedAt = new Date();
    const outcome = await runAttempt((signal) => run({ ...task, delivery, signal }), {
      kind,
      deadlineMs: deadlineMs ?? kind.deadlineMs,
      onLong:
        onLong === undefined
          ? undefined
          : () => {
              onLong(task.message);
            },
    });
    this.#circuit.record(failureOf(outcome));
    const step = nextStep(kind, task.attempt, outcome);
    const end = { ...task, kind, delivery, outcome, step, startedAt, endedAt: new Date() };
    const answer = await performStep(this.#sender, end);
    if (answer === undefined) {
      const retry: Outcome = {
        type: 'retry',
        error: 'error' in outcome ? outcome.error : undefined,
      };
      onUnconfirmed?.({ ...end, outcome: retry, step: nextStep(kind, task.attempt, retry) });
      return;
    }
    const settle = this.#options.settle ?? answerAtOnce;
    settle({
      ...end,
      answer: () => {
        delivery[answer]();
      },
      refuse: async (error) => {
        if (step.type === 'deadLetter' || step.type === 'skip') delivery.ack();
        else await this.#refuse(delivery, error);
      },
    });
  }

  get #sender(): Sender {
    if (this.#publisher === undefined) throw new Error('the worker is not open');
    return { publisher: this.#publisher, workerId: this.id };
  }
}

const COUNTS = ['prefetchCount', 'concurrency', 'suspectConcurrency', 'deadlineMs'] as const;

/** @throws TopologyError `DECLARATION_INVALID`: with a prefetch of 0 or NaN a worker would never take anything. */
function requireCounts(options: Pick<WorkerOptions, (typeof COUNTS)[number]>): void {
  const faults = COUNTS.flatMap((name) => {
    const count = options[name];
    const isSound = count === undefined || (count >= 1 && !Number.isNaN(count));
    return isSound ? [] : [fault('COUNT_OUT_OF_RANGE', name, `${count} must be at least 1`)];
  });
  if (faults.length > 0) throw new TopologyError('DECLARATION_INVALID', faults);
}

function answerAtOnce(end: AttemptEnd): void {
  end.answer();
}

/** Only what asks for another attempt can be an outage; a rejected job has its own fault. */
function failureOf(outcome: Outcome): string | undefined {
  return outcome.type === 'retry' || outcome.type === 'retryAfter'
    ? errorClass(outcome.error)
    : undefined;
}
