/** Runs a declaration and its workers against a broker in memory and a virtual clock, so that a test of a retry policy takes milliseconds. */
import type { OutgoingMessage, PublishResult } from '../amqp/index.ts';
import {
  type Declaration,
  type KindsOptions,
  requireKind,
} from '../declaration/declareTopology.ts';
import { type Duration, parseDurationMs } from '../declaration/duration.ts';
import type { BrokerProfile } from '../plan/brokerProfile.ts';
import { deadLetterQueue } from '../plan/names.ts';
import { planTopology } from '../plan/planTopology.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
import { provePlan } from '../proof/provePlan.ts';
import type { DeathCause } from '../retry/deathCause.ts';
import { describeDeath, ERROR_MESSAGE_HEADER } from '../retry/describeDeath.ts';
import type { Headers } from '../retry/xDeath.ts';
import { QueueWorker } from '../work/queueWorker.ts';
import type { QueueWorkerOptions } from '../work/queueWorkerOptions.ts';
import { settlementWords } from './settlementWords.ts';
import { type HistoryStep, SimulatedBroker } from './simulatedBroker.ts';
import { SimulatedDelivery, SimulatedLink } from './simulatedLink.ts';
import { seededRandom, VirtualClock } from './virtualClock.ts';

/** Options of one worker: those of `QueueWorker` that do not speak of a broker. Only `run` is required. */
export type SimulatedWorkerOptions = Pick<
  QueueWorkerOptions,
  | 'circuitBreaker'
  | 'concurrency'
  | 'deadlineMs'
  | 'onEvent'
  | 'onLong'
  | 'onUnconfirmed'
  | 'prefetchCount'
  | 'read'
  | 'run'
  | 'settle'
  | 'suspectConcurrency'
>;

/** What is simulated. */
export interface SimulationOptions<Kinds extends KindsOptions = KindsOptions> {
  /** A worker for each kind that has one; messages of other kinds stay in their queue. */
  readonly workers: Readonly<Partial<Record<Extract<keyof Kinds, string>, SimulatedWorkerOptions>>>;
  /** Version of RabbitMQ, from 3.10 on; default 4.3.6. Versions count crashes and name deaths differently. */
  readonly broker?: string;
  /** Chooses the order of what happens at the same millisecond; default 0. The same seed gives the same simulation. */
  readonly seed?: number;
}

/** A message to publish to the declared exchange. */
export interface SimulatedPublish extends Partial<Pick<OutgoingMessage, 'headers' | 'isUrgent'>> {
  /** Message id; default `message-1`, `message-2` and so on. */
  readonly id?: string;
}

/** A message in a dead-letter queue. */
export interface SimulatedDeadLetter {
  readonly id: string;
  /** Routing key with which it arrived. */
  readonly key: string;
  readonly cause: DeathCause;
  /** Message of the error, where a worker wrote it: of causes `fatal`, `malformed`, and `crashed` by a worker. */
  readonly error: string | undefined;
  readonly body: Buffer;
  /** As a consumer of the dead-letter queue would read them. */
  readonly headers: Headers;
}

const DEFAULT_BROKER = '4.3.6';
const DEFAULT_LIMIT = '168h';

/**
 * Plans and proves a declaration, and starts its workers. They are real workers, with the rules of attempts, deadlines,
 * crashes and dead letters that they have in production; only broker and clock are simulated.
 * @throws TopologyError `PLAN_REFUSED` as `provePlan`.
 */
export function simulate<const Kinds extends KindsOptions>(
  declaration: Declaration<Kinds>,
  options: SimulationOptions<Kinds>,
): Simulation {
  return new Simulation(declaration, options);
}

/** A worker process, and the link that a crash ends. */
interface RunningWorker {
  readonly link: SimulatedLink;
  readonly open: Promise<unknown>;
}

/**
 * A simulated topology. Time moves only in `advance` and `settle`. Handlers may be asynchronous: time does not move before
 * promises that are due have been handled. A handler that waits for something outside, such as a real timer or a
 * file, is left behind: use `sleep`, or stubs.
 */
export class Simulation {
  readonly #declaration: Declaration;
  readonly #workerOptions: Readonly<Record<string, SimulatedWorkerOptions | undefined>>;
  readonly #random: () => number;
  readonly #clock: VirtualClock;
  readonly #broker: SimulatedBroker;
  /** By the names of their queues. */
  readonly #workers = new Map<string, RunningWorker>();
  #publishedCount = 0;
  #isMoving = false;

  constructor(declaration: Declaration, options: SimulationOptions) {
    const broker: BrokerProfile = {
      version: options.broker ?? DEFAULT_BROKER,
      hasManagement: true,
    };
    const plan = planTopology(declaration, broker);
    provePlan(declaration, plan);
    this.#declaration = declaration;
    this.#workerOptions = options.workers;
    this.#random = seededRandom(options.seed ?? 0);
    this.#clock = new VirtualClock(this.#random);
    this.#broker = new SimulatedBroker(plan, this.#clock);
    for (const kind of Object.keys(options.workers)) this.#start(kind);
  }

  /** The plan that the simulated broker carries out. */
  get plan(): TopologyPlan {
    return this.#broker.plan;
  }

  /** Milliseconds since the start of the simulation. */
  get now(): number {
    return this.#clock.elapsedMs();
  }

  /**
   * Publishes to the declared exchange. A worker takes the message when time moves, or by `advance(0)`.
   * @param key public routing key of a kind.
   * @returns the message id, and the answer of the broker: `confirmed`, `returned` without a queue, `nacked` by a full one.
   */
  publish(
    key: string,
    body: Buffer | string,
    message: SimulatedPublish = {},
  ): Promise<{ readonly id: string; readonly result: PublishResult }> {
    this.#publishedCount += 1;
    const { id = `message-${this.#publishedCount}`, headers = {}, isUrgent = false } = message;
    const { exchange } = this.#declaration;
    const outgoing = { exchange, key, id, body: Buffer.from(body), headers, isUrgent };
    return Promise.resolve({ id, result: this.#broker.publish(outgoing) });
  }

  /** Moves the clock; what falls due until then happens, at its time. */
  async advance(by: Duration): Promise<void> {
    const untilMs = this.now + milliseconds(by);
    await this.#move(untilMs, () => true);
    this.#clock.moveTo(untilMs);
  }

  /**
   * Moves the clock until no message is on its way: each is acknowledged, a dead letter, or in a queue without a worker.
   * @param limit how far the clock may move; default '168h', a week. A message may still be on its way then.
   */
  async settle(limit: Duration = DEFAULT_LIMIT): Promise<void> {
    const untilMs = this.now + milliseconds(limit);
    const consumed = new Set(this.#workers.keys());
    await this.#move(untilMs, () => this.#broker.isBusy(consumed));
  }

  /** For handlers and stubs that take time: resolves when the virtual clock has moved so far. */
  async sleep(duration: Duration): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#clock.after(milliseconds(duration), resolve);
    });
  }

  /** Ends the worker of this queue while it holds messages, as kill -9 does. Another one takes its place at once. */
  crash(queue: string): void {
    const worker = this.#workers.get(queue);
    if (worker === undefined) throw new RangeError(`queue '${queue}' has no worker`);
    worker.link.crash();
    this.#start(this.#kindOf(queue));
  }

  /** @returns the dead letters of a main queue, oldest first. */
  deadLetters(queue: string): readonly SimulatedDeadLetter[] {
    const kind = this.#kindOf(queue);
    return this.#broker.readyIn(deadLetterQueue(queue)).map((deadLetter) => {
      const { id, key, body } = deadLetter;
      const headers = { ...deadLetter.headers, ...this.#broker.marksOf(deadLetter).headers };
      const { cause, message } = describeDeath(requireKind(this.#declaration, kind), key, headers);
      return {
        id,
        key,
        cause,
        error: ERROR_MESSAGE_HEADER in headers ? message : undefined,
        body,
        headers,
      };
    });
  }

  /** @returns what happened to the messages with this id, copies included; empty for an unknown id. */
  history(id: string): readonly HistoryStep[] {
    const steps = this.#broker.messagesOf(id).flatMap((message) => message.history);
    return steps.sort((first, second) => first.atMs - second.atMs);
  }

  #kindOf(queue: string): string {
    const kind = this.plan.kinds.find((candidate) => candidate.queue === queue);
    if (kind !== undefined) return kind.kind;
    const queues = this.plan.kinds.map((candidate) => candidate.queue).join(', ');
    throw new RangeError(`'${queue}' is none of the queues ${queues}`);
  }

  #start(kind: string): void {
    const options = this.#workerOptions[kind];
    if (options === undefined) return;
    const { queue } = requireKind(this.#declaration, kind);
    const link = new SimulatedLink(this.#broker);
    const open = QueueWorker.open(
      {
        ...options,
        declaration: this.#declaration,
        kind,
        id: `simulated ${kind}`,
        amqpUrl: '',
        managementUrl: undefined,
        settle: (end) => {
          const { delivery, outcome, step } = end;
          if (delivery instanceof SimulatedDelivery) delivery.note = settlementWords(step, outcome);
          if (options.settle === undefined) end.settleDelivery();
          else options.settle(end);
        },
      },
      link,
    );
    // A refusal of its options is thrown by the next `advance` or `settle`.
    open.catch(() => undefined);
    this.#workers.set(queue, { link, open });
  }

  async #move(untilMs: number, mustGoOn: () => boolean): Promise<void> {
    if (this.#isMoving)
      throw new Error(
        'the clock moves already: await the earlier call, and make none in a handler',
      );
    this.#isMoving = true;
    try {
      for (;;) {
        await this.#untilQuiet();
        const dueMs = this.#clock.nextDueMs;
        if (!mustGoOn() || dueMs === undefined || dueMs > untilMs) return;
        this.#clock.runNext();
      }
    } finally {
      this.#isMoving = false;
    }
  }

  /** Workers take what is ready, until nothing more happens in a turn of the event loop. */
  async #untilQuiet(): Promise<void> {
    let before: number;
    let hasPulled: boolean;
    do {
      before = this.#broker.changeCount;
      hasPulled = false;
      for (const { open } of [...this.#workers.values()]) await open;
      await nextTurn();
      for (const { link } of shuffled([...this.#workers.values()], this.#random))
        if (link.consumer?.fill() === true) hasPulled = true;
      await nextTurn();
    } while (hasPulled || this.#broker.changeCount !== before);
  }
}

/** Read once: a test may replace the global one by a mock that never calls back. */
const { setImmediate } = globalThis;

/** All promises that are due are handled before a new turn of the event loop begins. */
async function nextTurn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .sort((first, second) => first.rank - second.rank)
    .map(({ item }) => item);
}

/** @throws RangeError if it is not a duration. */
function milliseconds(duration: Duration): number {
  const durationMs = parseDurationMs(duration);
  if (durationMs === undefined || !(durationMs >= 0))
    throw new RangeError(`'${duration}' is no duration, such as '35s'`);
  return durationMs;
}
