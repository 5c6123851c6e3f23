/** A program that died is started again, at longer and longer intervals, until it stays or cannot be started. */
import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from '../stackError.ts';

/** Before the first attempt; it doubles with each death that follows within a minute. */
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** Starts in a row that did not become ready: then a further one would not either. */
const MOST_FAILED_STARTS = 5;
/** Who ran for so long is no longer in a row with earlier deaths. */
const STEADY_MS = 60_000;

export interface DeathCounts {
  /** Deaths and failed starts since it last ran for a minute, the present one included. */
  readonly inARow: number;
  /** Starts since it was last ready, all of which failed. */
  readonly failedStarts: number;
}

/** Pure. @returns milliseconds until the next start; undefined where there is none. */
export function nextDelayMs({ inARow, failedStarts }: DeathCounts): number | undefined {
  if (failedStarts >= MOST_FAILED_STARTS) return undefined;
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (inARow - 1));
}

export interface RestarterOptions {
  readonly name: string;
  /** Starts the program and resolves when it is ready; throws where it was not, with the end of its log. */
  readonly start: () => Promise<void>;
  /** Aborted: nothing is started any more. */
  readonly signal: AbortSignal;
  readonly onProgress: ((line: string) => void) | undefined;
  /** Told once, where the program is given up. */
  readonly onGiveUp: (error: StackError) => void;
  /** Waits before a start; throws where the signal is aborted. Default: a timer. */
  readonly wait?: (delayMs: number, signal: AbortSignal) => Promise<void>;
}

const waitByTimer = (delayMs: number, signal: AbortSignal): Promise<void> =>
  delay(delayMs, undefined, { signal });

/** One per program; made when the program is ready for the first time. */
export class Restarter {
  readonly #options: RestarterOptions;
  #readyAt = performance.now();
  #inARow = 0;

  constructor(options: RestarterOptions) {
    this.#options = options;
  }

  /** Called after each death. Resolves when the program is ready again, stopped, or given up; never throws. */
  async restart(): Promise<void> {
    const { name, start, signal, onProgress, onGiveUp, wait = waitByTimer } = this.#options;
    if (performance.now() - this.#readyAt >= STEADY_MS) this.#inARow = 0;
    const isAborted = (): boolean => signal.aborted;
    for (let failedStarts = 0; !isAborted(); failedStarts += 1) {
      this.#inARow += 1;
      const delayMs = nextDelayMs({ inARow: this.#inARow, failedStarts });
      if (delayMs === undefined) {
        const text = `${name} did not become ready in ${failedStarts} starts in a row; giving up`;
        onGiveUp(new StackError('SERVICE_GAVE_UP', text));
        return;
      }
      onProgress?.(`${name}: starting again in ${delayMs / 1_000} s`);
      try {
        await wait(delayMs, signal);
        await start();
        this.#readyAt = performance.now();
        return;
      } catch (error) {
        if (isAborted()) return;
        onProgress?.(error instanceof Error ? error.message : String(error));
      }
    }
  }
}
