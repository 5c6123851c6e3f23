/** What arrived, how often, and whether that is all. */
import assert from 'node:assert/strict';
import { eventually } from '@fit/stack/testing';
import type { Delivery } from '@fit/topology/amqp';

/** Messages that await transfer are offered again after 3 s here; a broker that restarts may take longer. */
const DEADLINE_MS = 60_000;

export class Arrivals {
  readonly #counts = new Map<string, number>();

  take(delivery: Delivery): void {
    const id = delivery.messageId ?? 'none';
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    delivery.ack();
  }

  get ids(): ReadonlySet<string> {
    return new Set(this.#counts.keys());
  }

  /** Arrivals beyond the first of each. */
  get copyCount(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count - 1, 0);
  }

  /** Waits until all of them are there, and no other. */
  async expect(wanted: ReadonlySet<string>): Promise<void> {
    await eventually(() => this.#counts.size >= wanted.size, {
      deadlineMs: DEADLINE_MS,
      describe: () => `missing: ${[...wanted.difference(this.ids)].join(', ')}`,
    });
    assert.deepEqual([...this.ids].sort(), [...wanted].sort());
  }
}
