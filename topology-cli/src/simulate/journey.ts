/** One message's way through a plan, step by step, with the time that each step takes. */

import type { DeathReason, PlannedKind, QueuePlan, TopologyPlan } from '@fit/topology';
import {
  type Attempt,
  attemptOf,
  type DeathCause,
  deathCause,
  deliveryCount,
  formatDuration,
  type Headers,
  route,
} from '@fit/topology';
import { returnDelayMs } from './deliveryCount.ts';
import { comeBack, die, type Traveller } from './traveller.ts';

/** One thing that happens to the message. */
export interface Step {
  /** Milliseconds since the publish, at the beginning of the step. */
  readonly atMs: number;
  /** How long the step takes, in milliseconds; 0 for all but a wait. */
  readonly durationMs: number;
  /** Where it happens: the name of a queue, or of the exchange to which the message is published. */
  readonly place: string;
  /** Which of the two `place` is: an exchange and a queue may share a name. */
  readonly placeType: 'queue' | 'exchange';
  /** Routing key of the message there. */
  readonly key: string;
  /** Counted from 1; undefined where no worker would see it. */
  readonly attempt: number | undefined;
  /** In words, such as 'fails' or 'waits 5s'. */
  readonly what: string;
  /** The queue that it is in afterwards; undefined where it is in none. */
  readonly next: string | undefined;
}

/** How a journey ends, or where it stands when nothing more is known. */
export type Ending =
  /** Acknowledged, with an effect or, discarded, without. */
  | { readonly type: 'done' | 'discarded' }
  | { readonly type: 'dead'; readonly queue: string; readonly cause: DeathCause }
  /** In the main queue, for a worker, which would make the attempt of that number; counted from 1. */
  | { readonly type: 'waiting'; readonly queue: string; readonly attempt: number | undefined }
  /** No queue takes it: returned to its publisher, held by the broker, or dropped. A proved plan has no such place. */
  | { readonly type: 'lost'; readonly place: string };

/** Every move is told as a step. After an end there is no other. */
export class Journey {
  readonly #plan: TopologyPlan;
  readonly #kind: PlannedKind;
  readonly #steps: Step[] = [];
  #atMs = 0;
  #traveller: Traveller = { queue: '', key: '', headers: {} };
  #end: Ending | undefined;

  constructor(plan: TopologyPlan, kind: PlannedKind) {
    this.#plan = plan;
    this.#kind = kind;
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Milliseconds since the publish. */
  get atMs(): number {
    return this.#atMs;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  get ending(): Ending {
    const { queue } = this.#traveller;
    return this.#end ?? { type: 'waiting', queue, attempt: this.attempt?.number };
  }

  get key(): string {
    return this.#traveller.key;
  }

  /** The queue that it is in, as planned. */
  get queue(): QueuePlan | undefined {
    return this.#plan.queues.find(({ name }) => name === this.#traveller.queue);
  }

  /** Deliveries that the broker counts as ended so far. */
  get deliveryCount(): number {
    return deliveryCount(this.#traveller.headers);
  }

  /** As a worker would read it; undefined for a key that is none of the kind's. */
  get attempt(): Attempt | undefined {
    return attemptOf(this.#kind, this.#traveller.key, this.#traveller.headers);
  }

  /** Published there, anew: of the broker's headers nothing is left. */
  publish(exchange: string, message: { readonly key: string; readonly headers: Headers }): void {
    const [queue] = route(this.#plan, exchange, message);
    const next = queue === undefined ? undefined : { ...message, queue };
    const what = `published as ${message.key}`;
    this.#tell({
      place: exchange,
      placeType: 'exchange',
      key: message.key,
      attempt: undefined,
      what,
      next: queue,
    });
    this.#arrive(next, exchange);
  }

  die(reason: DeathReason, what: string): void {
    const next = die(this.#plan, this.#traveller, reason);
    this.#tell({ what, next: next?.queue });
    this.#arrive(next, this.#traveller.queue);
  }

  /** Back into the same queue, which may hold it back for a while. */
  comeBack(what: string): void {
    const { queue } = this.#traveller;
    this.#tell({ what, next: queue });
    this.#traveller = comeBack(this.#traveller);
    const plan = this.queue;
    const delayMs = plan === undefined ? 0 : returnDelayMs(plan, this.deliveryCount);
    if (delayMs > 0) this.lie(delayMs, `held back ${formatDuration(delayMs)}`);
  }

  /** Lies in its queue for so long. */
  lie(durationMs: number, what: string): void {
    const { queue } = this.#traveller;
    this.#tell({ durationMs, attempt: undefined, what, next: queue });
    this.#atMs += durationMs;
  }

  finish(ending: Ending, what: string): void {
    this.#tell({ what, next: undefined });
    this.#end = ending;
  }

  /** The worker answers, and publishes in the message's place. */
  note(what: string): void {
    this.#tell({ what, next: undefined });
  }

  #tell(step: Partial<Step> & Pick<Step, 'what' | 'next'>): void {
    const { queue: place, key } = this.#traveller;
    const attempt = this.attempt?.number;
    this.#steps.push({
      atMs: this.#atMs,
      durationMs: 0,
      place,
      placeType: 'queue',
      key,
      attempt,
      ...step,
    });
  }

  #arrive(next: Traveller | undefined, place: string): void {
    if (next === undefined) {
      this.#end = { type: 'lost', place };
      return;
    }
    this.#traveller = next;
    const { queue: name, key, headers } = next;
    const { role, ttlMs } = this.queue ?? {};
    if (role === 'dlq')
      this.#end = { type: 'dead', queue: name, cause: deathCause(this.#kind, key, headers) };
    else if (role === 'wait') this.#sitOut(ttlMs);
  }

  /** Ends where the broker finds a cycle, so a broken plan is no endless walk. */
  #sitOut(ttlMs: number | undefined): void {
    const { queue: place } = this.#traveller;
    if (ttlMs === undefined) {
      this.#end = { type: 'lost', place };
      return;
    }
    const startMs = this.#atMs;
    this.#atMs += ttlMs;
    const next = die(this.#plan, this.#traveller, 'expired');
    this.#tell({
      atMs: startMs,
      durationMs: ttlMs,
      attempt: undefined,
      what: `waits ${formatDuration(ttlMs)}`,
      next: next?.queue,
    });
    this.#arrive(next, place);
  }
}
