/** The time spans that rules look back, wait and bear: those of production, and shorter ones for faults played live. */
import type { Rule } from './rule.ts';

/** Production spans → others; what is not named stays. Ranges are at least four scrape intervals (left-open since Prometheus 3). */
export interface Windows {
  /** In `[…]`: how far an expression looks back. */
  readonly ranges: Readonly<Record<string, string>>;
  /** `for` and `keep_firing_for`. */
  readonly holds: Readonly<Record<string, string>>;
  /** In `…_age_seconds) > n`: how old something may be, in seconds. */
  readonly ages: Readonly<Record<string, string>>;
  /** How Alertmanager gathers alerts into one message, and when it repeats itself. */
  readonly notification: {
    readonly wait: string;
    readonly interval: string;
    readonly repeat: string;
    readonly watchdogInterval: string;
    readonly watchdogRepeat: string;
  };
}

/** As written in the rules. */
export const PRODUCTION_WINDOWS: Windows = Object.freeze({
  ranges: {},
  holds: {},
  ages: {},
  // Each second of waiting is one less before a queue is full; what comes together mostly comes in one evaluation.
  notification: {
    wait: '2s',
    interval: '30s',
    repeat: '4h',
    // Once a minute. Alertmanager repeats at the first interval by which more than `repeat` has passed since it was done sending:
    // 1m at an interval of 1m is every second minute, at 15s it is 75 s (prometheus/alertmanager#676).
    watchdogInterval: '15s',
    watchdogRepeat: '50s',
  },
});

/** A fault shows within seconds and is over within a minute: for campaigns on a system of one's own, never for production. */
export const SHORT_WINDOWS: Windows = Object.freeze({
  ranges: {
    '1m': '20s',
    '2m': '20s',
    '5m': '30s',
    '10m': '30s',
    '15m': '40s',
    '30m': '40s',
    '1h': '40s',
    '2h': '40s',
    '6h': '40s',
    '1d': '40s',
    '3d': '40s',
  },
  holds: { '10s': '5s', '15s': '10s', '30s': '10s', '1m': '10s', '2m': '10s', '5m': '15s' },
  ages: { '60': '10' },
  notification: {
    wait: '1s',
    interval: '5s',
    repeat: '4h',
    watchdogInterval: '2s',
    watchdogRepeat: '9s',
  },
});

/** @returns the rule with these spans; a recorded name such as `…:rate1h` stays. */
export function inWindows(rule: Rule, windows: Windows): Rule {
  const expr = rule.expr
    .replaceAll(/\[(\w+)\]/g, (_, range: string) => `[${windows.ranges[range] ?? range}]`)
    .replaceAll(/(?<=_age_seconds\) > )\d+/g, (age) => windows.ages[age] ?? age);
  if ('record' in rule) return { ...rule, expr };
  const { for: hold, keep_firing_for: keep } = rule;
  return {
    ...rule,
    expr,
    ...(hold === undefined ? {} : { for: windows.holds[hold] ?? hold }),
    ...(keep === undefined ? {} : { keep_firing_for: windows.holds[keep] ?? keep }),
  };
}
