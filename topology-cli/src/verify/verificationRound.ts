/** Runs the probes of one scenario: the topology on a virtual host, the probes, and their consumers. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  attemptOf,
  type Declaration,
  deadLetterQueue,
  fault,
  nextStep,
  type PlannedKind,
  TopologyError,
  type TopologyPlan,
} from '@fit/topology';
import {
  Consumer,
  type Delivery,
  openTopologyAdmin,
  Publisher,
  type PublishResult,
} from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { deadLetter, performStep } from '@fit/topology/work';
import { handlerOutcome } from '../simulate/simulatedOutcome.ts';
import { fillerId, ProbeRecorder } from './probeRecorder.ts';
import { type Probe, type ProbeOutcome, probesFor } from './probes.ts';
import type { Scenario } from './scaleDeclaration.ts';
import type { BrokerUrls } from './scratchVhost.ts';

/** A scenario whose topology is asserted and whose probes are not published yet. */
export interface AssertedScenario extends BrokerUrls {
  readonly scenario: Scenario;
  readonly vhost: string;
  readonly plan: TopologyPlan;
}

export interface RoundOptions extends BrokerUrls {
  readonly scenario: Scenario;
  readonly vhost: string;
  /** The scaled declaration. */
  readonly declaration: Declaration;
  /** Only this kind is probed; undefined: all kinds. */
  readonly kind: string | undefined;
  readonly toleranceMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onAsserted: (asserted: AssertedScenario) => void | Promise<void>;
}

const CONNECTION_LABEL = 'topology verify';
const PREFETCH_COUNT = 100;
const POLL_MS = 25;
/** How long after its expected time an event is awaited, beyond the tolerance. */
const EVENT_TIMEOUT_MS = 3_000;
/** Waiting is shorter after an unexpected event, because the probe has failed already and is not expected to continue as planned. */
const DEVIATION_TIMEOUT_MS = 500;
/** A full quorum queue refuses a little late: of five messages one at a time, the sixth (measured). */
const OVERFULL_COUNT = 50;
const CLOSE_DEADLINE_MS = 5_000;

export class VerificationRound {
  readonly scenario: Scenario;
  /** The scaled declaration. */
  readonly declaration: Declaration;
  readonly plan: TopologyPlan;
  readonly probes: readonly Probe[];
  readonly recorder: ProbeRecorder;
  readonly #options: RoundOptions;
  readonly #publisher: Publisher;
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;

  private constructor(options: RoundOptions, publisher: Publisher, plan: TopologyPlan) {
    this.scenario = options.scenario;
    this.declaration = options.declaration;
    this.plan = plan;
    this.probes = plan.kinds
      .filter(({ kind }) => options.kind === undefined || kind === options.kind)
      .flatMap((kind) => probesFor(plan, kind, options.scenario));
    this.recorder = new ProbeRecorder(this.probes);
    this.#options = options;
    this.#publisher = publisher;
    this.#signal = AbortSignal.any([
      this.#closed.signal,
      ...(options.signal === undefined ? [] : [options.signal]),
    ]);
    this.#closers.push(() => publisher.close());
  }

  /** Asserts the topology and opens the consumers. @throws TopologyError, also if the connection is lost meanwhile. */
  static async open(options: RoundOptions): Promise<VerificationRound> {
    let plan: TopologyPlan | undefined;
    const publisher = await Publisher.open({
      url: options.amqpUrl,
      label: CONNECTION_LABEL,
      // Asserted once only: after a lost connection the topology must be verified as it is, not repaired.
      prepare: async (model) =>
        (plan ??= await asTopologyError(() => assertTopology(model, options.declaration, options))),
    });
    if (plan === undefined) throw new Error('a publisher opened without its topology');
    const round = new VerificationRound(options, publisher, plan);
    try {
      const { amqpUrl, managementUrl, scenario, vhost } = options;
      await options.onAsserted({ amqpUrl, managementUrl, scenario, vhost, plan });
      await round.#openConsumers();
      return round;
    } catch (error) {
      await round.close();
      throw error;
    }
  }

  get finishedCount(): number {
    return this.probes.filter((probe) => this.#isFinished(probe)).length;
  }

  /** Path of the first probe that is not finished; undefined if all are. */
  get awaitedPath(): string | undefined {
    return this.probes.find((probe) => !this.#isFinished(probe))?.path;
  }

  /** Publishes the probes, waits until they are finished, then until no message moves. @returns messages that are left. */
  async run(): Promise<LeftMessages[]> {
    if (this.scenario === 'handled')
      await Promise.all(this.probes.map((probe) => this.#runProbe(probe)));
    else
      await Promise.all(
        this.plan.kinds.map(async ({ kind }) => {
          for (const probe of this.probes.filter((one) => one.kind === kind))
            await this.#runProbe(probe);
        }),
      );
    this.#signal.throwIfAborted();
    return await waitUntilIdle(this.#options.amqpUrl, this.scenario, this.plan, () =>
      this.#pause(),
    );
  }

  /** Also ends a run that is going on. */
  async close(): Promise<void> {
    this.#closed.abort();
    for (const close of this.#closers.splice(0).reverse()) await close().catch(() => undefined);
  }

  async #openConsumers(): Promise<void> {
    const { amqpUrl } = this.#options;
    const { recorder } = this;
    for (const kind of this.plan.kinds) {
      const queue = deadLetterQueue(kind);
      const deadLetterConsumer = await Consumer.open({
        url: amqpUrl,
        label: CONNECTION_LABEL,
        queue,
        prefetchCount: PREFETCH_COUNT,
        prepare: () => Promise.resolve(),
        onEvent: recorder.onEvent,
        onDelivery: (delivery) => {
          recorder.recordDeadLetter(kind, queue, delivery);
          delivery.ack();
        },
      });
      this.#closers.push(() => deadLetterConsumer.close());
      if (this.scenario === 'expiry' || this.scenario === 'overflow') continue;
      const consumer = new ProbeConsumer(amqpUrl, kind, this.#publisher, recorder);
      this.#closers.push(() => consumer.close());
      await consumer.opened();
    }
  }

  async #runProbe(probe: Probe): Promise<void> {
    await this.#publishProbe(probe);
    while (!this.#isFinished(probe)) await this.#pause();
  }

  async #publishProbe(probe: Probe): Promise<void> {
    this.recorder.recordPublish(probe);
    let answer = await this.#publish(probe, probe.id);
    if (probe.filling === 'until refused') {
      const { maxLength = 0 } = this.plan.kinds.find(({ kind }) => kind === probe.kind) ?? {};
      for (let index = 0; answer === 'confirmed' && index < maxLength + OVERFULL_COUNT; index += 1)
        answer = await this.#publish(probe, fillerId(probe, index));
      this.recorder.recordAnswer(probe, answer);
      return;
    }
    this.recorder.recordAnswer(probe, answer);
    const ids = Array.from({ length: probe.filling }, (_, index) => fillerId(probe, index));
    await Promise.all(ids.map((id) => this.#publish(probe, id)));
  }

  async #publish({ target }: Probe, id: string): Promise<PublishResult> {
    return await this.#publisher.publish({ ...target, id, body: Buffer.from('{}') });
  }

  #isFinished(probe: Probe): boolean {
    const { toleranceMs } = this.#options;
    return this.recorder.isFinished(
      probe,
      EVENT_TIMEOUT_MS + toleranceMs,
      DEVIATION_TIMEOUT_MS + toleranceMs,
    );
  }

  async #pause(): Promise<void> {
    if (this.recorder.failure !== undefined)
      throw new Error('the verification was disturbed', { cause: this.recorder.failure });
    await delay(POLL_MS, undefined, { signal: this.#signal });
  }
}

/** A delivery that is not expected is acknowledged, so that it does not circulate. */
const UNEXPECTED_DELIVERY_OUTCOME: ProbeOutcome = { type: 'done' };

/** Consumes one main queue in place of a worker: each delivery of a probe has the next of its outcomes. */
class ProbeConsumer {
  readonly #amqpUrl: string;
  readonly #kind: PlannedKind;
  readonly #publisher: Publisher;
  readonly #recorder: ProbeRecorder;
  #opening: Promise<Consumer>;
  #openedAtMs = 0;
  #isClosed = false;

  constructor(amqpUrl: string, kind: PlannedKind, publisher: Publisher, recorder: ProbeRecorder) {
    this.#amqpUrl = amqpUrl;
    this.#kind = kind;
    this.#publisher = publisher;
    this.#recorder = recorder;
    this.#opening = this.#open();
  }

  /** @throws as `Consumer.open`. */
  async opened(): Promise<void> {
    await this.#opening;
  }

  /** Waits at most five seconds: the broker may be gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const closed = this.#opening.then((consumer) => consumer.close());
    await Promise.race([
      closed.catch(() => undefined),
      delay(CLOSE_DEADLINE_MS, undefined, { ref: false }),
    ]);
  }

  async #open(): Promise<Consumer> {
    return await Consumer.open({
      url: this.#amqpUrl,
      label: CONNECTION_LABEL,
      queue: this.#kind.queue,
      prefetchCount: PREFETCH_COUNT,
      prepare: () => Promise.resolve(),
      onEvent: this.#recorder.onEvent,
      onOpen: () => (this.#openedAtMs = performance.now()),
      onDelivery: (delivery) => {
        // The round polls `failure`, because no caller awaits this delivery.
        this.#settle(delivery).catch((error: unknown) => (this.#recorder.failure ??= error));
      },
    });
  }

  async #settle(delivery: Delivery): Promise<void> {
    const kind = this.#kind;
    const publisher = this.#publisher;
    const recorded = this.#recorder.recordDelivery(kind, delivery, this.#openedAtMs);
    const outcome = recorded?.probe.outcomes[recorded.index] ?? UNEXPECTED_DELIVERY_OUTCOME;
    if (outcome.type === 'crash') {
      await this.#crash();
      return;
    }
    const attempt = attemptOf(kind, delivery.routingKey, delivery.headers);
    const answer = outcome.type === 'malformed' ? undefined : handlerOutcome(outcome);
    if (answer === undefined || attempt === undefined) {
      const details = {
        cause: 'malformed' as const,
        error: new Error('malformed on purpose'),
        attempt: 0,
        workerId: CONNECTION_LABEL,
      };
      if (await deadLetter(publisher, kind, { delivery, details })) delivery.ack();
      else delivery.nackToDeadLetterExchange();
      return;
    }
    const now = new Date();
    const method = await performStep(
      { publisher, workerId: CONNECTION_LABEL },
      {
        message: undefined,
        kind,
        attempt,
        delivery,
        outcome: answer,
        step: nextStep(kind, attempt, answer),
        startedAt: now,
        endedAt: now,
      },
    );
    if (method !== undefined) delivery[method]();
  }

  /** Ends the connection with the delivery unsettled, as when a process dies, and opens another one. */
  async #crash(): Promise<void> {
    const consumer = await this.#opening;
    await consumer.close();
    if (!this.#isClosed) this.#opening = this.#open();
  }
}

/** Messages in a queue that should be empty. */
export interface LeftMessages {
  readonly scenario: Scenario;
  readonly queue: string;
  readonly messageCount: number;
}

const IDLE_DEADLINE_MS = 1_500;

/**
 * Waits until main and wait queues are empty: a misrouted copy may still be in one when its probe is finished.
 * @param pause called between two polls; what it throws ends the wait.
 * @returns messages that are left at the deadline.
 * @throws TopologyError `BROKER_UNREACHABLE`
 */
export async function waitUntilIdle(
  amqpUrl: string,
  scenario: Scenario,
  plan: TopologyPlan,
  pause: () => Promise<void>,
): Promise<LeftMessages[]> {
  // Messages that fill the main queue stay there in the scenario `overflow`.
  const roles = scenario === 'overflow' ? ['wait'] : ['wait', 'main'];
  const queues = plan.queues.filter(({ role }) => roles.includes(role));
  const admin = await openTopologyAdmin(amqpUrl, CONNECTION_LABEL);
  try {
    const deadlineMs = performance.now() + IDLE_DEADLINE_MS;
    for (let emptyPolls = 0; ; ) {
      const left: LeftMessages[] = [];
      for (const { name } of queues) {
        const messageCount = (await admin.depthOf(name))?.readyCount ?? 0;
        if (messageCount > 0) left.push({ scenario, queue: name, messageCount });
      }
      emptyPolls = left.length === 0 ? emptyPolls + 1 : 0;
      // Two polls, since a message that moves between two queues is counted in neither.
      if (emptyPolls === 2 || performance.now() > deadlineMs) return left;
      await pause();
    }
  } finally {
    await admin.close();
  }
}

/** A session retries for ever after any error that is not a TopologyError. */
async function asTopologyError<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof TopologyError) throw error;
    const remedy = `the topology could not be asserted: ${error instanceof Error ? error.message : String(error)}`;
    throw new TopologyError('BROKER_REFUSED', [fault('ASSERT_FAILED', CONNECTION_LABEL, remedy)], {
      cause: error,
    });
  }
}
