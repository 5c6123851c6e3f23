/**
 * How often the broker took a message back from this process while the process lived on. The broker counts a lost
 * connection like the end of a process; only the process itself knows the difference.
 */

/** Message ids that are remembered; the oldest are forgotten first. An id is at most 255 bytes, as AMQP has it. */
export const SURVIVED_RETURNS_LIMIT = 10_000;

export class SurvivedReturns {
  readonly #counts = new Map<string, number>();
  readonly #limit: number;

  constructor(limit = SURVIVED_RETURNS_LIMIT) {
    this.#limit = limit;
  }

  /** @returns how many ids are remembered; never above the limit. */
  get size(): number {
    return this.#counts.size;
  }

  /** @param messageId undefined where the publisher set none: such a message cannot be recognised. */
  add(messageId: string | undefined): void {
    if (messageId === undefined) return;
    const count = this.countOf(messageId) + 1;
    // Deleted first, so that the map's order is that of the latest return.
    this.#counts.delete(messageId);
    this.#counts.set(messageId, count);
    if (this.#counts.size <= this.#limit) return;
    const [oldest] = this.#counts.keys();
    if (oldest !== undefined) this.#counts.delete(oldest);
  }

  countOf(messageId: string | undefined): number {
    return messageId === undefined ? 0 : (this.#counts.get(messageId) ?? 0);
  }
}
