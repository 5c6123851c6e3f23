/** From a nack to the next attempt, less the tier: what the way through the wait queue costs while others go it too. */
import { attemptOf } from '@fit/topology';
import { quantile, rate, round } from '../statistics.ts';
import { publishSteadily, type SteadyLoad } from './publishSteadily.ts';
import type { Judge, OpenReceiver } from './receiver.ts';
import { KIND, type Room } from './room.ts';

/** Milliseconds, but for the rate. */
export interface LatenessFigures {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** First attempts that were nacked in a second: below the wished rate, the figures describe a smaller load. */
  readonly perSecond: number;
}

export interface LatenessOptions {
  readonly load: SteadyLoad;
  readonly open: OpenReceiver;
}

/** Beyond the time of the load itself; a message that is this late is lost. */
const PATIENCE_MS = 60_000;

/** @throws Error where a message does not come back, or comes as an attempt that it cannot be. */
export async function measureLateness(
  room: Room,
  { load, open }: LatenessOptions,
): Promise<LatenessFigures> {
  const book = new RetryBook(load.count);
  const stop = await open(room, book.judge);
  const patience = setTimeout(() => {
    book.giveUp();
  }, patienceMs(load));
  try {
    await Promise.all([publishSteadily(room, load), book.finished]);
  } finally {
    clearTimeout(patience);
    await stop();
  }
  return book.figures();
}

function patienceMs({ count, perSecond }: SteadyLoad): number {
  return (count / perSecond) * 1_000 + PATIENCE_MS;
}

/** Nacks each first attempt, acks each second one, and notes when. */
class RetryBook {
  readonly finished: Promise<void>;
  readonly #latenessesMs: number[] = [];
  readonly #finish: () => void;
  readonly #fail: (error: Error) => void;
  readonly #count: number;
  readonly #nackedAt = new Map<string, number>();
  #firstNackAt = 0;
  #lastNackAt = 0;

  constructor(count: number) {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    this.finished = promise;
    this.#fail = reject;
    this.#finish = () => {
      resolve(undefined);
    };
    this.#count = count;
  }

  readonly judge: Judge = ({ id, routingKey, headers }) => {
    const now = performance.now();
    const attempt = attemptOf(KIND, routingKey, headers)?.number;
    const nackedAt = this.#nackedAt.get(id);
    if (attempt === 1 && nackedAt === undefined) {
      this.#nackedAt.set(id, now);
      this.#firstNackAt ||= now;
      this.#lastNackAt = now;
      return false;
    }
    // Not thrown: a listener's throw ends the connection, and the reason would be lost with it.
    if (attempt !== 2 || nackedAt === undefined)
      this.#fail(new Error(`${id} came as attempt ${String(attempt)}, its key ${routingKey}`));
    this.#latenessesMs.push(now - (nackedAt ?? now) - (KIND.tiersMs[0] ?? 0));
    if (this.#latenessesMs.length === this.#count) this.#finish();
    return true;
  };

  giveUp(): void {
    this.#fail(new Error(`${this.#latenessesMs.length} of ${this.#count} came back`));
  }

  figures(): LatenessFigures {
    const sorted = this.#latenessesMs.toSorted((a, b) => a - b);
    return {
      p50: round(quantile(sorted, 0.5)),
      p99: round(quantile(sorted, 0.99)),
      max: round(sorted.at(-1) ?? 0),
      perSecond: rate(this.#count, this.#lastNackAt - this.#firstNackAt),
    };
  }
}
