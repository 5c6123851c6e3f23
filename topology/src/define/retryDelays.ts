/** Lists of delays by rule. They are data, so a topology with them can be planned, proved and drawn like any other. */
import { type Duration, formatDuration, parseDurationMs } from '../declaration/duration.ts';

/** Length and growth of a list of delays. */
export interface ExponentialOptions {
  /** Number of delays, at least 1. */
  readonly retries: number;
  /** Each delay is this many times the one before; default 2; at least 1. */
  readonly factor?: number;
  /** Longest delay; longer ones are cut to it. Default '1h'. */
  readonly max?: Duration;
}

/**
 * `exponential('1s', { retries: 4, factor: 4 })` is `['1s', '4s', '16s', '64s']`.
 * @throws RangeError if a duration cannot be read or a number is out of range.
 */
export function exponential(first: Duration, options: ExponentialOptions): readonly Duration[] {
  const { retries, factor = 2, max = '1h' } = options;
  if (!(factor >= 1)) throw new RangeError(`factor must be at least 1, not ${factor}`);
  const [firstMs, maxMs] = [positiveMs(first, 'first'), positiveMs(max, 'max')];
  return list(retries, (index) => Math.min(Math.round(firstMs * factor ** index), maxMs));
}

/**
 * `linear('10s', 3)` is `['10s', '20s', '30s']`. The native back end of RabbitMQ 4.3 can do such delays too.
 * @throws RangeError as `exponential`.
 */
export function linear(step: Duration, retries: number): readonly Duration[] {
  const stepMs = positiveMs(step, 'step');
  return list(retries, (index) => stepMs * (index + 1));
}

/** `fixed('30s', 5)` is five times `'30s'`. @throws RangeError as `exponential`. */
export function fixed(delay: Duration, retries: number): readonly Duration[] {
  const delayMs = positiveMs(delay, 'delay');
  return list(retries, () => delayMs);
}

function list(retries: number, delayMsOf: (index: number) => number): readonly Duration[] {
  if (!Number.isInteger(retries) || retries < 1)
    throw new RangeError(`retries must be a whole number of at least 1, not ${retries}`);
  return Object.freeze(
    Array.from({ length: retries }, (_, index) => formatDuration(delayMsOf(index))),
  );
}

function positiveMs(duration: Duration, name: string): number {
  const durationMs = parseDurationMs(duration);
  if (durationMs !== undefined && durationMs > 0) return durationMs;
  throw new RangeError(`${name} must be a duration above 0, such as '30s', not '${duration}'`);
}
