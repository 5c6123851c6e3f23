/** Publishes the events of outboxes: those of its own process at once, and those that others left over every second. */
import type { Publisher } from '@fit/topology';
import type { Outbox, Tasks } from './database.ts';
import type { topology } from './topology.ts';

const POLL_MS = 1_000;

export class OutboxRelay {
  readonly #publisher: Publisher<typeof topology>;
  readonly #tasks: Tasks;
  readonly #running = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #isPolling = false;

  constructor(publisher: Publisher<typeof topology>, tasks: Tasks) {
    this.#publisher = publisher;
    this.#tasks = tasks;
    this.#timer = setInterval(() => {
      this.#track(this.#poll());
    }, POLL_MS);
  }

  /** Publishes in the background; what fails is left over. */
  publish(outbox: Outbox): void {
    this.#track(this.#publish(outbox));
  }

  /** Waits for what is being published. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        console.error(`outbox: ${String(error)}`);
      })
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async #poll(): Promise<void> {
    if (this.#isPolling || !this.#publisher.isReady) return;
    this.#isPolling = true;
    try {
      for (const outbox of await this.#tasks.leftOver()) await this.#publish(outbox);
    } finally {
      this.#isPolling = false;
    }
  }

  /** The outbox is emptied after the confirm: a crash in between publishes its events again and never loses one. */
  async #publish(outbox: Outbox): Promise<void> {
    for (const event of outbox.events) {
      const { error } = await this.#publisher.tryPublish('event', event, {
        id: event.metadata.eventId,
        timeout: '5s',
      });
      if (error !== undefined) return;
    }
    await this.#tasks.empty(outbox);
  }
}
