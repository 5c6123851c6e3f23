/** Jobs at a steady pace, as members joining one by one would make them: what rates and ratios are measured on. */
import type { FitClient } from '@fit/client';
import { sampleUsers } from '@fit/stack';

const TICK_MS = 1_000;
const USER_COUNT = 900;
const FIRST_DAY_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

export class SteadyLoad {
  readonly #client: () => FitClient;
  readonly #userIds = sampleUsers(USER_COUNT).map(({ id }) => id);
  readonly #timer: NodeJS.Timeout;
  #askedCount = 0;
  /** Jobs a second; may be changed at any time. */
  perSecond: number;

  private constructor(client: () => FitClient, perSecond: number) {
    this.#client = client;
    this.perSecond = perSecond;
    this.#timer = setInterval(() => void this.#ask(this.perSecond), TICK_MS);
  }

  static async start(client: () => FitClient, perSecond: number): Promise<SteadyLoad> {
    await client().createUsers(sampleUsers(USER_COUNT));
    return new SteadyLoad(client, perSecond);
  }

  /** So many at once, beside the steady ones. */
  async burst(count: number): Promise<void> {
    for (let rest = count; rest > 0; rest -= USER_COUNT)
      await this.#ask(Math.min(rest, USER_COUNT));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A job is one per user and day: each round over the users takes the next day. */
  async #ask(count: number): Promise<void> {
    for (let rest = count; rest > 0; ) {
      const index = this.#askedCount % USER_COUNT;
      const day = Math.floor(this.#askedCount / USER_COUNT);
      const userIds = this.#userIds.slice(index, index + rest);
      this.#askedCount += userIds.length;
      rest -= userIds.length;
      const date = new Date(FIRST_DAY_MS + day * DAY_MS).toISOString().slice(0, 10);
      try {
        await this.#client().generateWods({ date, userIds });
      } catch {
        // Refused or without an answer: expected while the monolith or its database is away.
      }
    }
  }
}
