/** Time as a worker sees it, so that deadlines and pauses also run on the virtual clock of a simulation. */

/** A callback that is due later. */
export interface ClockTimer {
  /** It is not called any more. */
  cancel(): void;
  /** It keeps no process running. */
  unref(): void;
}

/** Where a worker reads the time, and what calls it back. */
export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  elapsedMs(): number;
  /** The time of day. */
  date(): Date;
  /** Calls back once, after so many milliseconds. */
  after(delayMs: number, callback: () => void): ClockTimer;
}

/** The clock of this machine. */
export const SYSTEM_CLOCK: Clock = {
  elapsedMs: () => performance.now(),
  date: () => new Date(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return {
      cancel: () => {
        clearTimeout(timer);
      },
      unref: () => {
        timer.unref();
      },
    };
  },
};
