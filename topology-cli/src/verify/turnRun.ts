/** One virtual host with the topology on it, its probes, and those who receive them. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Declaration, TopologyPlan } from '@fit/topology';
import { deadLetterQueue, fault, TopologyError } from '@fit/topology';
import { Consumer, Publisher } from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { Attendant } from './attendant.ts';
import { fillerId, Logbook } from './logbook.ts';
import { type Probe, probesOf } from './probe.ts';
import type { Turn } from './scaleDeclaration.ts';
import type { Broker } from './scratchHost.ts';
import { type Leftover, silence } from './silence.ts';

/** A turn whose topology is asserted, and whose probes are not sent yet. */
export interface AssertedTurn extends Broker {
  readonly turn: Turn;
  readonly vhost: string;
  readonly plan: TopologyPlan;
}

export interface TurnOptions extends Broker {
  readonly turn: Turn;
  readonly vhost: string;
  /** Scaled. */
  readonly declaration: Declaration;
  /** Undefined: all. */
  readonly kind: string | undefined;
  readonly toleranceMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onAsserted: (asserted: AssertedTurn) => void | Promise<void>;
}

const LABEL = 'topology verify';
const POLL_MS = 25;
/** How long something is waited for that should have come. */
const PATIENCE_MS = 3_000;
/** How long something more is waited for, where something has come otherwise than planned. */
const GRACE_MS = 500;
/** A full quorum queue refuses a little late: the sixth of five, one at a time (measured). */
const REFUSAL_SLACK_COUNT = 50;

export class TurnRun {
  readonly turn: Turn;
  /** Scaled. */
  readonly declaration: Declaration;
  readonly plan: TopologyPlan;
  readonly probes: readonly Probe[];
  readonly logbook: Logbook;
  readonly #options: TurnOptions;
  readonly #publisher: Publisher;
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;

  private constructor(options: TurnOptions, publisher: Publisher, plan: TopologyPlan) {
    this.turn = options.turn;
    this.declaration = options.declaration;
    this.#options = options;
    this.#publisher = publisher;
    this.plan = plan;
    this.#signal = AbortSignal.any([
      this.#closed.signal,
      ...(options.signal ? [options.signal] : []),
    ]);
    this.probes = plan.kinds
      .filter(({ kind }) => options.kind === undefined || kind === options.kind)
      .flatMap((kind) => probesOf(plan, kind, options.turn));
    this.logbook = new Logbook(this.probes);
    this.#closers.push(() => publisher.close());
  }

  /** Asserts the topology. @throws TopologyError, also where the broker goes away meanwhile. */
  static async open(options: TurnOptions): Promise<TurnRun> {
    let plan: TopologyPlan | undefined;
    const publisher = await Publisher.open({
      url: options.amqpUrl,
      label: LABEL,
      // Once: after a loss the topology is to be found as it is, not mended.
      prepare: async (model) =>
        (plan ??= await orRefuse(() => assertTopology(model, options.declaration, options))),
    });
    if (plan === undefined) throw new Error('a publisher opened without its topology');
    const opened = new TurnRun(options, publisher, plan);
    try {
      await options.onAsserted({ ...options, plan });
      await opened.#receive();
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  get doneCount(): number {
    return this.probes.filter((probe) => this.#isOver(probe)).length;
  }

  /** The first that is not over. */
  get awaited(): string | undefined {
    return this.probes.find((probe) => !this.#isOver(probe))?.path;
  }

  /** Sends the probes, waits for their ends, then for silence. @returns what is left. */
  async run(): Promise<Leftover[]> {
    if (this.turn === 'attended')
      await Promise.all(this.probes.map((probe) => this.#follow(probe)));
    else
      await Promise.all(
        this.plan.kinds.map(async ({ kind }) => {
          for (const probe of this.probes.filter((one) => one.kind === kind))
            await this.#follow(probe);
        }),
      );
    this.#signal.throwIfAborted();
    const { amqpUrl } = this.#options;
    return await silence({ amqpUrl, turn: this.turn, plan: this.plan, rest: () => this.#rest() });
  }

  /** Ends a run that goes on. */
  async close(): Promise<void> {
    this.#closed.abort();
    for (const close of this.#closers.splice(0).reverse()) await close().catch(() => undefined);
  }

  async #receive(): Promise<void> {
    const { amqpUrl } = this.#options;
    const isAttended = this.turn === 'attended' || this.turn === 'crash';
    const { logbook } = this;
    const publisher = this.#publisher;
    for (const kind of this.plan.kinds) {
      const queue = deadLetterQueue(kind.queue);
      const reader = await Consumer.open({
        url: amqpUrl,
        label: LABEL,
        queue,
        prefetchCount: 100,
        prepare: () => Promise.resolve(),
        onEvent: logbook.onEvent,
        onDelivery: (delivery) => {
          logbook.died(kind, queue, delivery);
          delivery.ack();
        },
      });
      this.#closers.push(() => reader.close());
      if (!isAttended) continue;
      const attendant = new Attendant({ amqpUrl, kind, publisher, logbook });
      this.#closers.push(() => attendant.close());
      await attendant.ready();
    }
  }

  async #follow(probe: Probe): Promise<void> {
    await this.#send(probe);
    while (!this.#isOver(probe)) await this.#rest();
  }

  async #send(probe: Probe): Promise<void> {
    this.logbook.begin(probe);
    const result = await this.#publish(probe, probe.id);
    if (probe.filling !== 'until refused') {
      this.logbook.answered(probe, result);
      const fillers = Array.from({ length: probe.filling }, (_, index) => fillerId(probe, index));
      await Promise.all(fillers.map((id) => this.#publish(probe, id)));
      return;
    }
    const kind = this.plan.kinds.find((one) => one.kind === probe.kind);
    const mostCount = (kind?.maxLength ?? 0) + REFUSAL_SLACK_COUNT;
    let last = result;
    for (let index = 0; last === 'confirmed' && index < mostCount; index += 1)
      last = await this.#publish(probe, fillerId(probe, index));
    this.logbook.answered(probe, last);
  }

  #publish({ entry }: Probe, id: string) {
    return this.#publisher.publish({ ...entry, id, body: Buffer.from('{}') });
  }

  #isOver(probe: Probe): boolean {
    const { toleranceMs } = this.#options;
    return this.logbook.isOver(probe, {
      patienceMs: PATIENCE_MS + toleranceMs,
      graceMs: GRACE_MS + toleranceMs,
    });
  }

  async #rest(): Promise<void> {
    if (this.logbook.failure !== undefined)
      throw new Error('the run was disturbed', { cause: this.logbook.failure });
    await pause(POLL_MS, undefined, { signal: this.#signal });
  }
}

/** A session tries again for ever after any error but this one. */
async function orRefuse<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof TopologyError) throw error;
    const remedy = `the topology could not be asserted: ${error instanceof Error ? error.message : String(error)}`;
    throw new TopologyError('BROKER_REFUSED', [fault('ASSERT_FAILED', LABEL, remedy)], {
      cause: error,
    });
  }
}
