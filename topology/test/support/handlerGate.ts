/** A handler that a test holds back, to see how many run at a time. */
import { eventually } from '@fit/stack/testing';
import type { Delivery } from '@fit/topology/amqp';
import type { QueueWorkerOptions } from '@fit/topology/work';

/** Handlers run until the gate is opened; then those that wait end, and later ones wait again. */
export class HandlerGate {
  readonly running = new Set<Delivery>();
  readonly done = new Map<string, number>();
  #isOpenForGood = false;
  #opening = Promise.withResolvers<undefined>();

  run: QueueWorkerOptions['run'] = async ({ delivery }) => {
    this.running.add(delivery);
    if (!this.#isOpenForGood) await this.#opening.promise;
    this.running.delete(delivery);
    const id = delivery.messageId!;
    if (delivery.isCurrent) this.done.set(id, (this.done.get(id) ?? 0) + 1);
    return { type: 'done', effect: undefined };
  };

  letThrough(): void {
    this.#opening.resolve(undefined);
    this.#opening = Promise.withResolvers();
  }

  openForGood(): void {
    this.#isOpenForGood = true;
    this.letThrough();
  }

  /** Running handlers whose delivery can still be settled. */
  get current(): Delivery[] {
    return [...this.running].filter(({ isCurrent }) => isCurrent);
  }

  async untilRunning(count: number, deadlineMs = 10_000): Promise<void> {
    await eventually(() => this.current.length === count, {
      deadlineMs,
      describe: () => `${this.current.length} of ${count} run, ${this.done.size} are done`,
    });
  }

  async untilDone(count: number): Promise<void> {
    await eventually(() => this.done.size === count, {
      deadlineMs: 30_000,
      describe: () => `${this.done.size} of ${count} are done, ${this.current.length} run`,
    });
  }
}
