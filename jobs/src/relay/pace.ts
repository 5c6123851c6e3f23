/** How many messages of a kind the broker should hold: some seconds of work, and at most half of the queue's limit. Pure. */
import { type KindDeclaration, returnCapacity } from '@fit/topology';

/** The relay keeps this many seconds of work on the broker: enough that workers never wait, and little that can be lost in a purge. */
const TARGET_SECONDS = 5;
/** Messages while the workers' speed is not known, and the smallest target. A queue of a smaller limit has a smaller one. */
const FIRST_TARGET = 1_000;
const SMALLEST_TARGET = 100;
/** Consumption is measured over this time, in milliseconds. */
const WINDOW_MS = 3_000;
/** A queue that holds less than this share of its target is nearly empty, so the workers may be faster than measured. */
const NEARLY_EMPTY = 0.2;

/** One reading of the queue. */
interface Reading {
  readonly atMs: number;
  /** Messages that were consumed since the first reading. */
  readonly consumedCount: number;
}

/**
 * @returns the largest number of ready messages that the relay makes in the main queue of a kind. Above half of the limit the
 * queue counts as near full, and its return capacity stays free in any case. A kind that drops its oldest messages is
 * declared to lose them, so it is not paced.
 */
export function largestTarget(kind: KindDeclaration): number {
  if (kind.dropsHead) return Infinity;
  const { producerLimit } = returnCapacity(kind);
  return Math.max(1, Math.floor(Math.min(kind.maxLength / 2, producerLimit)));
}

export class Pace {
  readonly #targetSeconds: () => number;
  readonly #largest: number;
  readonly #smallest: number;
  #target: number;
  #readings: Reading[] = [];
  #last: { readonly depth: number; readonly confirmedCount: number } | undefined;

  /** @param targetSeconds asked at each reading, because it may change at run time; default 5. */
  constructor(kind: KindDeclaration, targetSeconds = () => TARGET_SECONDS) {
    this.#targetSeconds = targetSeconds;
    this.#largest = largestTarget(kind);
    this.#smallest = Math.min(SMALLEST_TARGET, this.#largest);
    this.#target = Math.min(FIRST_TARGET, this.#largest);
  }

  /** Ready messages that the queue should hold; infinite for a kind that is not paced. */
  get target(): number {
    return this.#largest === Infinity ? Infinity : this.#target;
  }

  /**
   * Takes a reading of the queue.
   * @param depth ready messages.
   * @param confirmedCount messages of this relay that the broker has confirmed so far. Those that are only sent are not in the
   * queue yet, and would look consumed.
   * @param nowMs time of the reading on a monotonic clock.
   */
  observe(depth: number, confirmedCount: number, nowMs: number): void {
    const last = this.#last;
    this.#last = { depth, confirmedCount };
    const lastAtMs = this.#readings.at(-1)?.atMs ?? -Infinity;
    if (nowMs - lastAtMs > WINDOW_MS) {
      // At the start and after a pause nothing shows the speed: an empty queue would look like workers that do nothing.
      this.#readings = [{ atMs: nowMs, consumedCount: 0 }];
      this.#target = Math.min(FIRST_TARGET, this.#largest);
      return;
    }
    const before = this.#readings.at(-1)?.consumedCount ?? 0;
    // Retries that return, and other relays, add messages too, so a difference may be negative; then nothing was consumed.
    const consumed =
      last === undefined
        ? 0
        : Math.max(0, confirmedCount - last.confirmedCount - (depth - last.depth));
    this.#readings.push({ atMs: nowMs, consumedCount: before + consumed });
    while (this.#readings.length > 2 && nowMs - (this.#readings[1]?.atMs ?? nowMs) > WINDOW_MS)
      this.#readings.shift();
    const isNearlyEmpty = depth < this.#target * NEARLY_EMPTY && consumed > 0;
    const wanted = Math.max(
      this.#perSecond * this.#targetSeconds(),
      isNearlyEmpty ? this.#target * 2 : 0,
    );
    this.#target = Math.min(this.#largest, Math.max(this.#smallest, Math.round(wanted)));
  }

  /** Consumed messages per second over the window. */
  get #perSecond(): number {
    const [first] = this.#readings;
    const last = this.#readings.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return ((last.consumedCount - first.consumedCount) * 1_000) / (last.atMs - first.atMs);
  }
}
