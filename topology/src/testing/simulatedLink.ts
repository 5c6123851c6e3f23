/** What a worker consumes and publishes with in a simulation: the counterparts of `Consumer` and `Publisher` in memory. */
import type { Delivery, OutgoingMessage, PublishResult } from '../amqp/index.ts';
import { CAUSE_HEADER } from '../retry/deathCause.ts';
import type { LinkCallbacks, LinkConsumer, LinkPublisher, WorkerLink } from '../work/workerLink.ts';
import type { SimulatedBroker, SimulatedMessage } from './simulatedBroker.ts';

/** A delivery that changes the simulated broker. It can be settled once, and not after its worker has crashed. */
export class SimulatedDelivery implements Delivery {
  readonly message: SimulatedMessage;
  readonly headers: Delivery['headers'];
  readonly isRedelivered: boolean;
  readonly routingKey: string;
  readonly exchange: string;
  readonly receivedAtMs: number;
  readonly unreadableReason = undefined;
  /** What the history says of its settlement. */
  note: string | undefined;
  isSettled = false;
  readonly #broker: SimulatedBroker;
  readonly #consumer: SimulatedConsumer;

  constructor(broker: SimulatedBroker, consumer: SimulatedConsumer, message: SimulatedMessage) {
    const { headers, isRedelivered } = broker.marksOf(message);
    this.message = message;
    this.headers = { ...message.headers, ...headers };
    this.isRedelivered = isRedelivered;
    this.routingKey = message.key;
    this.exchange = message.exchange;
    this.receivedAtMs = broker.clock.date().getTime();
    this.#broker = broker;
    this.#consumer = consumer;
  }

  get body(): Buffer {
    return this.message.body;
  }

  get messageId(): string {
    return this.message.id;
  }

  get type(): string | undefined {
    return this.message.type;
  }

  get publishedAtSeconds(): number {
    return Math.floor(this.message.publishedAt.getTime() / 1_000);
  }

  get priority(): number | undefined {
    return this.message.priority;
  }

  get isCurrent(): boolean {
    return this.#consumer.isUp;
  }

  ack(): void {
    this.#settle('acknowledged', (what) => {
      this.#broker.ack(this.message, what);
    });
  }

  nackToDeadLetterExchange(): void {
    this.#settle('rejected', (what) => {
      this.#broker.nackToDeadLetterExchange(this.message, what);
    });
  }

  rejectForNativeRetry(): void {
    this.#settle('rejected', (what) => {
      this.#broker.returnToQueue(this.message, 'failed', what);
    });
  }

  requeue(): void {
    this.#settle('requeued', (what) => {
      this.#broker.returnToQueue(this.message, 'requeued', what);
    });
  }

  discardContent(): void {
    // The history of the simulation keeps the message.
  }

  #settle(defaultNote: string, settle: (what: string) => void): void {
    this.isSettled = true;
    if (!this.#consumer.release(this)) return;
    settle(this.note ?? defaultNote);
    this.#consumer.callbacks.onChange(this);
  }
}

/** Consumes one queue of the simulated broker. Prefetched messages are taken by `fill`, which the simulation calls. */
export class SimulatedConsumer implements LinkConsumer {
  readonly callbacks: LinkCallbacks;
  readonly #broker: SimulatedBroker;
  readonly #unsettled = new Set<SimulatedDelivery>();
  /** Pulls that wait for `fill`, so that nothing is delivered before the simulation moves. */
  #pulls: ((isFound: boolean) => void)[] = [];
  #prefetchCount = 0;
  #isUp = true;

  constructor(broker: SimulatedBroker, callbacks: LinkCallbacks) {
    this.#broker = broker;
    this.callbacks = callbacks;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get isPaused(): boolean {
    return this.#prefetchCount === 0;
  }

  get unsettledCount(): number {
    return this.#unsettled.size;
  }

  get unsettledIds(): string[] {
    return [...this.#unsettled].map(({ messageId }) => messageId);
  }

  get oldestReceivedAtMs(): number | undefined {
    return this.#unsettled.values().next().value?.receivedAtMs;
  }

  setPrefetch(prefetchCount: number): void {
    if (!this.#isUp || prefetchCount === this.#prefetchCount) return;
    this.#prefetchCount = prefetchCount;
    // As a consumer does once the broker has answered, so not within this call.
    queueMicrotask(() => {
      this.callbacks.onChange();
    });
  }

  /** Undefined: a simulated broker refuses no user. */
  readonly refusal = undefined;

  pulled(): undefined {
    return undefined;
  }

  pull(): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#isUp) this.#pulls.push(resolve);
      else resolve(false);
    });
  }

  /**
   * Takes what was pulled, and as many messages as the prefetch allows.
   * @returns false if there was nothing to do.
   */
  fill(): boolean {
    const pulls = this.#pulls.splice(0);
    for (const resolve of pulls) resolve(this.#isUp && this.#takeOne());
    while (this.#isUp && this.#unsettled.size < this.#prefetchCount && this.#takeOne());
    return pulls.length > 0;
  }

  /** @returns false if the delivery was settled before, or if the worker crashed meanwhile. */
  release(delivery: SimulatedDelivery): boolean {
    return this.#isUp && this.#unsettled.delete(delivery);
  }

  /** Its process ends as by kill -9: nothing that it holds is settled. */
  crash(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    for (const resolve of this.#pulls.splice(0)) resolve(false);
    // The last one first: each comes back to the head of its queue, and their order stays.
    for (const { message } of [...this.#unsettled].reverse()) this.#broker.crash(message);
    this.#unsettled.clear();
  }

  drain(_deadlineMs: number, onCancelled?: () => void): Promise<number> {
    this.#prefetchCount = 0;
    onCancelled?.();
    const deliveries = [...this.#unsettled];
    for (const delivery of deliveries) delivery.requeue();
    return Promise.resolve(deliveries.length);
  }

  close(): Promise<void> {
    this.#isUp = false;
    return Promise.resolve();
  }

  #takeOne(): boolean {
    const message = this.#broker.take(this.callbacks.queue);
    if (message === undefined) return false;
    const delivery = new SimulatedDelivery(this.#broker, this, message);
    this.#unsettled.add(delivery);
    this.callbacks.onDelivery(delivery);
    return true;
  }

  /** The delivery of a message that this consumer holds. */
  deliveryOf(id: string): SimulatedDelivery | undefined {
    return [...this.#unsettled].find(({ messageId }) => messageId === id);
  }
}

/** A link of one worker process to the simulated broker. */
export class SimulatedLink implements WorkerLink {
  readonly topologyFault = undefined;
  readonly #broker: SimulatedBroker;
  #consumer: SimulatedConsumer | undefined;
  #isUp = true;

  constructor(broker: SimulatedBroker) {
    this.#broker = broker;
  }

  get clock(): WorkerLink['clock'] {
    return this.#broker.clock;
  }

  get consumer(): SimulatedConsumer | undefined {
    return this.#consumer;
  }

  openPublisher({ onPlan }: LinkCallbacks): Promise<LinkPublisher> {
    onPlan(this.#broker.plan);
    return Promise.resolve({
      isUp: true,
      isBlocked: false,
      pendingCount: 0,
      publish: (message) => Promise.resolve(this.#publish(message)),
      close: () => Promise.resolve(),
    });
  }

  openConsumer(callbacks: LinkCallbacks): Promise<LinkConsumer> {
    this.#consumer = new SimulatedConsumer(this.#broker, callbacks);
    callbacks.onOpen();
    return Promise.resolve(this.#consumer);
  }

  /** The process of the worker ends as by kill -9. */
  crash(): void {
    this.#isUp = false;
    this.#consumer?.crash();
  }

  /** A handler of a crashed worker goes on in the test's process, but what it publishes must not arrive. */
  #publish(message: OutgoingMessage): PublishResult {
    if (!this.#isUp) return 'unknown';
    if (this.#broker.takeNote(message)) return 'confirmed';
    const cause = message.headers?.[CAUSE_HEADER];
    const delivery = this.#consumer?.deliveryOf(message.id);
    if (delivery !== undefined && cause !== undefined) delivery.note ??= `dead-lettered: ${cause}`;
    return this.#broker.publish(message);
  }
}
