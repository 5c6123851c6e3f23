/** What every simulation has: a plan, a broker in memory, a virtual clock, and workers that can crash. */
import {
  type Declaration,
  type KindDeclaration,
  requireKind,
} from '../declaration/declareTopology.ts';
import { type Duration, parseDurationMs } from '../declaration/duration.ts';
import type { BrokerProfile } from '../plan/brokerProfile.ts';
import { deadLetterQueue, noteIdOf } from '../plan/names.ts';
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

/** Which broker, and which order of what happens at once. */
export interface SystemOptions {
  /** Version of RabbitMQ, from 3.10 on; default 4.3.6. Versions count crashes and name deaths differently. */
  readonly broker?: string;
  /** Chooses the order of what happens at the same millisecond; default 0. The same seed gives the same simulation. */
  readonly seed?: number;
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
const DEFAULT_LIMIT = '7d';

/** Opens a worker process. */
export type OpenWorker = (link: SimulatedLink) => Promise<unknown>;

/** @returns what opens a real worker with these options, and tells the history how its attempts end. */
export function simulatedWorker<Message, Effect>(
  options: Omit<QueueWorkerOptions<Message, Effect>, 'amqpUrl' | 'managementUrl'>,
): OpenWorker {
  const settle: QueueWorkerOptions<Message, Effect>['settle'] = (end) => {
    const { delivery, outcome, step } = end;
    if (delivery instanceof SimulatedDelivery) delivery.note = settlementWords(step, outcome);
    if (options.settle === undefined) end.settleDelivery();
    else options.settle(end);
  };
  const id = `simulated ${options.kind}`;
  return (link) =>
    QueueWorker.open<Message, Effect>(
      { ...options, id, settle, amqpUrl: '', managementUrl: undefined },
      link,
    );
}

/** A worker process, and the link that a crash ends. */
interface RunningWorker {
  readonly link: SimulatedLink;
  readonly opening: Promise<unknown>;
}

/** What the queues of a simulation are called by: their names on the broker, or in a topology the names of their kinds. */
type QueueName = 'queue' | 'kind';

/**
 * Time moves only in `advance` and `settle`. Handlers may be asynchronous: time does not move before promises that are due
 * have been handled. A handler that waits for something outside, such as a real timer or a file, is left behind: use
 * `sleep`, or stubs.
 */
export class SimulatedSystem<Queue extends string = string> {
  readonly #declaration: Declaration;
  readonly #openWorkers: ReadonlyMap<string, OpenWorker>;
  readonly #queueName: QueueName;
  readonly #random: () => number;
  readonly #clock: VirtualClock;
  /** The simulated broker. */
  protected readonly broker: SimulatedBroker;
  /** By the names of their queues on the broker. */
  readonly #workers = new Map<string, RunningWorker>();
  #publishedCount = 0;
  #isMoving = false;

  /** @throws TopologyError `PLAN_REFUSED` as `provePlan`. */
  constructor(
    declaration: Declaration,
    openWorkers: ReadonlyMap<string, OpenWorker>,
    {
      broker: version = DEFAULT_BROKER,
      seed = 0,
      queueName,
    }: SystemOptions & {
      readonly queueName: QueueName;
    },
  ) {
    const broker: BrokerProfile = { version, hasManagement: true };
    const plan = planTopology(declaration, broker);
    provePlan(declaration, plan);
    this.#declaration = declaration;
    this.#openWorkers = openWorkers;
    this.#queueName = queueName;
    this.#random = seededRandom(seed);
    this.#clock = new VirtualClock(this.#random);
    this.broker = new SimulatedBroker(plan, this.#clock);
    for (const kind of openWorkers.keys()) this.#start(kind);
  }

  /** The plan that the simulated broker carries out. */
  get plan(): TopologyPlan {
    return this.broker.plan;
  }

  /** Milliseconds since the start of the simulation. */
  get now(): number {
    return this.#clock.elapsedMs();
  }

  /** @returns the id of a message that was published without one: `message-1`, `message-2` and so on. */
  protected nextId(): string {
    this.#publishedCount += 1;
    return `message-${this.#publishedCount}`;
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
    await this.#move(untilMs, () => this.broker.isBusy(consumed));
  }

  /** For handlers and stubs that take time: resolves when the virtual clock has moved so far. */
  async sleep(duration: Duration): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#clock.after(milliseconds(duration), resolve);
    });
  }

  /** Ends the worker of this queue while it holds messages, as kill -9 does. Another one takes its place at once. */
  crash(queue: Queue): void {
    const kind = this.#kindOf(queue);
    const worker = this.#workers.get(kind.queue);
    if (worker === undefined) throw new RangeError(`queue '${queue}' has no worker`);
    worker.link.crash();
    this.#start(kind.kind);
  }

  /** @returns the dead letters of a main queue, oldest first. */
  deadLetters(queue: Queue): readonly SimulatedDeadLetter[] {
    const kind = this.#kindOf(queue);
    return this.broker.readyIn(deadLetterQueue(kind)).map((deadLetter) => {
      const { id, key, body } = deadLetter;
      const headers = { ...deadLetter.headers, ...this.broker.marksOf(deadLetter).headers };
      const note = this.broker.noteOf(kind.queue, noteIdOf(id));
      const { cause, message } = describeDeath(kind, key, headers, note);
      const isTold =
        ERROR_MESSAGE_HEADER in headers || (cause === 'exhausted' && note !== undefined);
      return {
        id,
        key,
        cause,
        error: isTold ? message : undefined,
        body,
        headers,
      };
    });
  }

  /** @returns what happened to the messages with this id, copies included; empty for an unknown id. */
  history(id: string): readonly HistoryStep[] {
    const steps = this.broker.messagesOf(id).flatMap((message) => message.history);
    return steps.sort((first, second) => first.atMs - second.atMs);
  }

  #kindOf(queue: string): KindDeclaration {
    const kinds = this.#declaration.kinds;
    const kind = kinds.find((candidate) => candidate[this.#queueName] === queue);
    if (kind !== undefined) return kind;
    const queues = kinds.map((candidate) => candidate[this.#queueName]).join(', ');
    throw new RangeError(`'${queue}' is none of the queues ${queues}`);
  }

  #start(kind: string): void {
    const open = this.#openWorkers.get(kind);
    if (open === undefined) return;
    const { queue } = requireKind(this.#declaration, kind);
    const link = new SimulatedLink(this.broker);
    const opening = open(link);
    // A refusal of its options is thrown by the next `advance` or `settle`.
    opening.catch(() => undefined);
    this.#workers.set(queue, { link, opening });
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
      before = this.broker.changeCount;
      hasPulled = false;
      for (const { opening } of [...this.#workers.values()]) await opening;
      await nextTurn();
      for (const { link } of shuffled([...this.#workers.values()], this.#random))
        if (link.consumer?.fill() === true) hasPulled = true;
      await nextTurn();
    } while (hasPulled || this.broker.changeCount !== before);
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
