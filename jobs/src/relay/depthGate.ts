/** Lets the relay publish only as many messages of one kind as its main queue should hold. */
import type { KindDeclaration } from '@fit/topology';
import { Pace } from './pace.ts';

export interface DepthGateOptions {
  readonly kind: KindDeclaration;
  /** @returns the number of ready messages. @throws where the broker does not answer. */
  readonly readyCount: (queue: string) => Promise<number>;
  /** False while the broker is away or blocks publishers. */
  readonly isReady: () => boolean;
  /** Seconds of work that the queue should hold; default as in `Pace`. */
  readonly targetSeconds?: (() => number) | undefined;
}

/** A reading is used for this long without another one, in milliseconds. */
const FRESH_MS = 1_000;
/** Pauses between two readings while the queue is as full as it should be: they grow while nothing is consumed. */
const SHORTEST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 250;
/** Messages for which it is worth to publish: fewer wait until the queue has more room. */
const STEP_COUNT = 100;

export class DepthGate {
  readonly #options: DepthGateOptions;
  readonly #pace: Pace;
  #depth = 0;
  #readAtMs = -Infinity;
  /** Messages that were let through since the last reading, and those that it may not have counted. */
  #uncountedCount = 0;
  /** Messages that were let through and have no answer yet; a reading may not count them. */
  #openCount = 0;
  #confirmedCount = 0;
  #pauseMs = SHORTEST_PAUSE_MS;
  #reading: Promise<void> | undefined;
  #isStopped = false;
  #endPause: (() => void) | undefined;

  constructor(options: DepthGateOptions) {
    this.#options = options;
    this.#pace = new Pace(options.kind, options.targetSeconds);
  }

  /**
   * Waits until the queue has room.
   * @param isWanted false: the caller waits no more, because its batch belongs to another relay now.
   * @returns how many of the wanted messages may be published now, at least one; 0 once the gate is stopped, or nothing is wanted.
   */
  async take(wantedCount: number, isWanted = () => true): Promise<number> {
    for (;;) {
      if (this.#isStopped || !isWanted()) return 0;
      const isFresh = performance.now() - this.#readAtMs < FRESH_MS;
      const freeCount = this.#pace.target - this.#depth - this.#uncountedCount;
      if (isFresh && this.#options.isReady() && this.#isWorthIt(freeCount, wantedCount)) {
        const count = Math.min(wantedCount, freeCount);
        this.pass(count);
        return count;
      }
      this.#reading ??= this.#read(isFresh).finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
  }

  /** Messages are published that do not wait for room. */
  pass(count: number): void {
    this.#uncountedCount += count;
    this.#openCount += count;
  }

  /** To be called for each message that was let through. @param isConfirmed false: the queue may not have it. */
  end(isConfirmed: boolean): void {
    this.#openCount -= 1;
    if (isConfirmed) this.#confirmedCount += 1;
  }

  /** Ends every wait. */
  stop(): void {
    this.#isStopped = true;
    this.#endPause?.();
  }

  #isWorthIt(freeCount: number, wantedCount: number): boolean {
    const step = Math.max(1, Math.min(STEP_COUNT, Math.floor(this.#pace.target / 4)));
    return freeCount >= Math.min(wantedCount, step);
  }

  /** @param mustPause true: the last reading is fresh and left no room, so another one at once would be useless. */
  async #read(mustPause: boolean): Promise<void> {
    if (mustPause) await this.#pause(this.#pauseMs);
    if (!this.#options.isReady()) {
      await this.#pause(LONGEST_PAUSE_MS);
      return;
    }
    const openBefore = this.#openCount;
    const confirmedCount = this.#confirmedCount;
    const uncountedBefore = this.#uncountedCount;
    try {
      const depth = await this.#options.readyCount(this.#options.kind.queue);
      const isMoving = depth !== this.#depth;
      this.#pace.observe(depth, confirmedCount, performance.now());
      this.#depth = depth;
      this.#readAtMs = performance.now();
      this.#uncountedCount = openBefore + this.#uncountedCount - uncountedBefore;
      this.#pauseMs = isMoving ? SHORTEST_PAUSE_MS : Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    } catch {
      // A queue of unknown depth counts as full; the session reports why the broker does not answer.
      await this.#pause(LONGEST_PAUSE_MS);
    }
  }

  async #pause(pauseMs: number): Promise<void> {
    if (this.#isStopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
