/** Follows one message through the simulated broker, from its publish to its end. */
import {
  type DeathCause,
  deathReasons,
  type PlannedKind,
  type QueuePlan,
  type TopologyPlan,
} from '@fit/topology';
import {
  type HistoryStep,
  SimulatedBroker,
  type SimulatedMessage,
  settleAs,
  VirtualClock,
} from '@fit/topology/testing';
import { handlerOutcome, type SimulatedOutcome } from './simulatedOutcome.ts';

/** How the message ended, or where it is when no more outcomes are given. */
export type SimulationEnd =
  /** Acknowledged: `done` with an effect, `discarded` without one. */
  | { readonly type: 'done' | 'discarded' }
  | { readonly type: 'dead'; readonly queue: string; readonly cause: DeathCause }
  /** In the main queue, before the attempt of that number; counted from 1. */
  | { readonly type: 'waiting'; readonly queue: string; readonly attempt: number | undefined }
  /** No queue accepts it: returned to its publisher, kept by the broker, or dropped. Cannot happen in a proved plan. */
  | { readonly type: 'lost'; readonly place: string };

const ID = 'explained';

/** One message; handlers and redeliveries are taken to need no time. */
export class Simulation {
  readonly #kind: PlannedKind;
  readonly #clock = new VirtualClock();
  readonly #broker: SimulatedBroker;
  /** The message, then the copies that took its place. */
  readonly #messages: SimulatedMessage[] = [];
  #acknowledgedAs: 'done' | 'discarded' = 'done';

  constructor(plan: TopologyPlan, kind: PlannedKind) {
    this.#kind = kind;
    this.#broker = new SimulatedBroker(plan, this.#clock);
  }

  get steps(): readonly HistoryStep[] {
    return this.#messages.flatMap(({ history }) => history);
  }

  /** Milliseconds since the publish. */
  get atMs(): number {
    return this.#clock.elapsedMs();
  }

  get hasEnded(): boolean {
    return this.end.type !== 'waiting';
  }

  get end(): SimulationEnd {
    const message = this.#message;
    const { queue } = message;
    if (message.isLost) return { type: 'lost', place: message.history.at(-1)?.place ?? queue };
    if (message.state === 'gone') return { type: this.#acknowledgedAs };
    if (this.#queue?.role === 'dlq')
      return { type: 'dead', queue, cause: this.#broker.causeOf(message) };
    return { type: 'waiting', queue, attempt: this.#broker.attemptOf(message)?.number };
  }

  publish(exchange: string, key: string): void {
    this.#broker.publish({ exchange, key, id: ID, body: Buffer.alloc(0) });
    // Of a fan-out, the message in the queue of this kind is followed.
    const messages = this.#broker.messagesOf(ID);
    const followed = messages.find(({ queue }) => queue === this.#kind.queue) ?? messages[0];
    if (followed !== undefined) this.#messages.push(followed);
    this.#untilDelivery();
  }

  /**
   * The next delivery has this outcome.
   * @throws RangeError for an outcome that the plan makes impossible.
   */
  apply(outcome: SimulatedOutcome): void {
    const queue = this.#queue;
    if (queue === undefined || this.hasEnded) return;
    if (outcome.type === 'expire') this.#expire(queue);
    else if (outcome.type === 'overflow') this.#overflow(queue);
    else this.#deliver(queue, outcome);
    this.#untilDelivery();
  }

  get #message(): SimulatedMessage {
    const message = this.#messages.at(-1);
    if (message === undefined) throw new Error('nothing was published yet');
    return message;
  }

  /** The queue that holds the message, as planned. */
  get #queue(): QueuePlan | undefined {
    return this.#broker.plan.queues.find(({ name }) => name === this.#message.queue);
  }

  #deliver(queue: QueuePlan, outcome: SimulatedOutcome): void {
    const message = this.#broker.take(queue.name);
    if (message === undefined) throw new Error(`nothing is ready in ${queue.name}`);
    const answer = handlerOutcome(outcome);
    if (answer === undefined) {
      this.#broker.crash(message);
      return;
    }
    const publishedCount = this.#broker.messagesOf(ID).length;
    this.#acknowledgedAs = answer.type === 'discard' ? 'discarded' : 'done';
    settleAs(this.#broker, this.#kind, message, answer);
    this.#messages.push(...this.#broker.messagesOf(ID).slice(publishedCount));
  }

  #expire(queue: QueuePlan): void {
    if (queue.ttlMs === undefined)
      throw new RangeError(`nothing expires in ${queue.name}: it has no time to live (messageTtl)`);
    while (this.#message.queue === queue.name && this.#message.state === 'ready')
      this.#clock.runNext();
  }

  #overflow(queue: QueuePlan): void {
    if (!deathReasons(queue).includes('maxlen'))
      throw new RangeError(
        `nothing overflows in ${queue.name}: it refuses publishes when it is full (no drop-head)`,
      );
    this.#broker.dropOldest(queue.name);
  }

  /** The clock moves until a worker could take the message, or until it has ended. */
  #untilDelivery(): void {
    const isOnItsWay = () => {
      const { state, isLost } = this.#message;
      return (
        !isLost && (state === 'delayed' || (state === 'ready' && this.#queue?.role === 'wait'))
      );
    };
    while (isOnItsWay()) this.#clock.runNext();
  }
}
