/** The time spans of all rules: how far they look back, how long they wait, what age they accept. */

/** Durations are written as Prometheus writes them, such as `5m`. */
export interface Windows {
  /**
   * How far an expression looks back. At least four scrape intervals: the ranges of Prometheus 3 are open on the left, so a
   * range of one interval holds one sample and `rate` is empty.
   */
  readonly lookback: {
    /** Trend of a queue's depth and of the retries. */
    readonly trend: string;
    /** Publishes that the relay got confirmed. */
    readonly publishing: string;
    /** Messages that wait for a place in their next queue. */
    readonly transfer: string;
    /** Attempts and ends of jobs. */
    readonly recent: string;
    /** Messages that the broker dropped. */
    readonly drops: string;
    /** Jobs that died. */
    readonly deadLetters: string;
    /** The longer window of the failure share, and results of the daily run. */
    readonly hour: string;
    /** Failures of Prometheus and Alertmanager themselves. */
    readonly pipeline: string;
  };
  /** Values of `for`: how long an expression must hold before the alert fires. */
  readonly hold: {
    readonly brief: string;
    readonly short: string;
    readonly medium: string;
    readonly long: string;
    readonly longest: string;
  };
  /** `keep_firing_for`: how long an alert outlives its expression, so that a value at the threshold does not flap. */
  readonly keepFiring: string;
  /** A job may wait in the outbox for this long while nothing is published. */
  readonly outboxAgeSeconds: number;
  /** The jobs that wait may need this long at the present pace. */
  readonly backlogSeconds: number;
  /** How Alertmanager groups alerts into one message, and when it repeats a message. */
  readonly notification: {
    readonly wait: string;
    readonly interval: string;
    readonly repeat: string;
    readonly watchdogInterval: string;
    readonly watchdogRepeat: string;
  };
}

export const PRODUCTION_WINDOWS: Windows = Object.freeze({
  lookback: {
    trend: '1m',
    publishing: '2m',
    transfer: '2m',
    recent: '5m',
    drops: '10m',
    deadLetters: '15m',
    hour: '1h',
    pipeline: '2m',
  },
  hold: {
    brief: '10s',
    short: '30s',
    medium: '1m',
    long: '2m',
    longest: '5m',
  },
  keepFiring: '1m',
  outboxAgeSeconds: 60,
  // Half of the hour that cron waits for a run (CRON_WAIT_MS), so that more coaches can still finish the run in time.
  backlogSeconds: 1_800,
  notification: {
    // Each second of waiting is lost before a queue is full; alerts of one cause mostly come in one evaluation.
    wait: '2s',
    interval: '30s',
    repeat: '4h',
    // The Watchdog is sent once a minute. Alertmanager repeats at the first group interval by which more than the repeat
    // interval has passed: an interval of 1m with a repeat of 1m is every second minute (prometheus/alertmanager#676).
    watchdogInterval: '15s',
    watchdogRepeat: '50s',
  },
});

/** For the fault campaign on a system of its own: a fault is reported within seconds and resolved within a minute. */
export const SHORT_WINDOWS: Windows = Object.freeze({
  lookback: {
    trend: '20s',
    publishing: '20s',
    transfer: '20s',
    recent: '30s',
    drops: '30s',
    deadLetters: '40s',
    hour: '40s',
    pipeline: '20s',
  },
  hold: {
    brief: '5s',
    short: '10s',
    medium: '10s',
    long: '10s',
    longest: '15s',
  },
  keepFiring: '10s',
  outboxAgeSeconds: 10,
  backlogSeconds: 60,
  notification: {
    wait: '1s',
    interval: '5s',
    repeat: '4h',
    watchdogInterval: '2s',
    watchdogRepeat: '9s',
  },
});
