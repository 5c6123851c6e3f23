/** Starts a program that died again, at growing intervals, until it keeps running or repeatedly fails to start. */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, StackError } from '../stackError.ts';

/** Delay before the first restart; it doubles with each further death within a minute. */
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** Failed starts in a row after which the program is given up, since a further start would fail too. */
const MAX_FAILED_STARTS = 5;
/** A program that ran for so long counts its deaths anew. */
const STABLE_AFTER_MS = 60_000;

export interface DeathCounts {
  /** Deaths and failed starts since the program last ran for a minute, the present one included. */
  readonly inARow: number;
  /** Failed starts since the program was last ready. */
  readonly failedStarts: number;
}

/** @returns milliseconds until the next start; undefined if the program is given up. */
export function nextDelayMs({ inARow, failedStarts }: DeathCounts): number | undefined {
  if (failedStarts >= MAX_FAILED_STARTS) return undefined;
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (inARow - 1));
}

export interface RestarterOptions {
  readonly name: string;
  /**
   * Starts the program and resolves when it is ready; throws with the end of its log if it did not become ready, and
   * ends early when the signal is aborted.
   */
  readonly start: (signal: AbortSignal) => Promise<void>;
  readonly onProgress: ((line: string) => void) | undefined;
  /** Called once, when the program is given up. */
  readonly onGiveUp: (error: StackError) => void;
  /** Waits before a start; rejects if the signal is aborted. Default: a timer. */
  readonly wait?: (delayMs: number, signal: AbortSignal) => Promise<void>;
}

const waitByTimer = (delayMs: number, signal: AbortSignal): Promise<void> =>
  delay(delayMs, undefined, { signal });

/** Restarts one program; constructed when the program is ready for the first time. */
export class Restarter {
  readonly #options: RestarterOptions;
  readonly #stopped = new AbortController();
  #readyAt = performance.now();
  #inARow = 0;
  #restarting: Promise<void> | undefined;

  constructor(options: RestarterOptions) {
    this.#options = options;
  }

  /** As `restart`; `stop` waits for it. */
  restartInBackground(): void {
    this.#restarting = this.restart();
  }

  /** Ends a restart that is under way; the program is not started any more. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#restarting;
  }

  /** Called after each death; resolves when the program is ready again, stopped, or given up. Never throws. */
  async restart(): Promise<void> {
    const { name, start, onProgress, onGiveUp, wait = waitByTimer } = this.#options;
    const { signal } = this.#stopped;
    if (performance.now() - this.#readyAt >= STABLE_AFTER_MS) this.#inARow = 0;
    const isAborted = (): boolean => signal.aborted;
    for (let failedStarts = 0; !isAborted(); failedStarts += 1) {
      this.#inARow += 1;
      const delayMs = nextDelayMs({ inARow: this.#inARow, failedStarts });
      if (delayMs === undefined) {
        const text = `${name} did not become ready in ${failedStarts} starts in a row; giving up`;
        onGiveUp(new StackError('RESTART_GIVEN_UP', text));
        return;
      }
      onProgress?.(`${name}: starting again in ${delayMs / 1_000} s`);
      try {
        await wait(delayMs, signal);
        await start(signal);
        this.#readyAt = performance.now();
        return;
      } catch (error) {
        if (isAborted()) return;
        onProgress?.(messageOf(error));
      }
    }
  }
}
