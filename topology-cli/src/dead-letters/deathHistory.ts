/** The broker's `x-death` as a journey: where a letter died, of what, how often, first when. */
import type { Headers } from '@fit/topology';

/** One line of what a letter went through. */
export interface DeathStep {
  readonly queue: string;
  readonly reason: string;
  /** As the broker counted; a client can send anything. */
  readonly count: number;
  /** ISO time of the first such death, by the second; absent where it cannot be read. */
  readonly firstAt?: string;
  readonly exchange?: string;
  readonly keys?: readonly string[];
}

const STEP_LIMIT = 64;
const KEY_LIMIT = 16;
const TEXT_LIMIT_CHARS = 512;
/** Before it no RabbitMQ existed: such a time is nonsense. */
const EARLIEST_MS = Date.UTC(2007, 0, 1);
const LATEST_MS = Date.UTC(2200, 0, 1);

/** @returns at most 64 steps, in the order of the record; nonsense is left out. */
export function readDeathHistory(headers: Headers): DeathStep[] {
  const records: unknown = headers['x-death'];
  if (!Array.isArray(records)) return [];
  return records.slice(0, STEP_LIMIT).flatMap((record: unknown) => {
    const step = readStep(record);
    return step === undefined ? [] : [step];
  });
}

/** @returns the time, or undefined where the number or text is no time at which a letter can have died. */
export function plausibleTime(value: unknown): Date | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const date = new Date(value);
  return date.getTime() >= EARLIEST_MS && date.getTime() <= LATEST_MS ? date : undefined;
}

/** @returns one line per step, oldest first. */
export function journeyLines(steps: readonly DeathStep[]): string[] {
  return [...steps]
    .sort((a, b) => (a.firstAt ?? '').localeCompare(b.firstAt ?? ''))
    .map((step) => {
      const times = step.count === 1 ? 'once' : `${step.count} times, first`;
      const keys = step.keys === undefined ? '' : `  key ${step.keys.join(', ')}`;
      return `${step.firstAt ?? 'at an unknown time'}  ${step.queue}: ${step.reason} ${times}${keys}`;
    });
}

function readStep(record: unknown): DeathStep | undefined {
  if (typeof record !== 'object' || record === null) return undefined;
  const fields = record as Record<string, unknown>;
  const { queue, reason, count, exchange } = fields;
  if (typeof queue !== 'string' || typeof reason !== 'string') return undefined;
  const firstAt = timeOf(fields)?.toISOString();
  const keys = keysOf(fields);
  return {
    queue: queue.slice(0, TEXT_LIMIT_CHARS),
    reason: reason.slice(0, TEXT_LIMIT_CHARS),
    count: countOf(count),
    ...(firstAt && { firstAt }),
    ...(typeof exchange === 'string' && { exchange: exchange.slice(0, TEXT_LIMIT_CHARS) }),
    ...(keys.length > 0 && { keys }),
  };
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** AMQP timestamps arrive as `{'!': 'timestamp', value: seconds}`. */
function timeOf(fields: Readonly<Record<string, unknown>>): Date | undefined {
  const value = fields['firstAt'] ?? fields['time'];
  if (typeof value !== 'object' || value === null) return plausibleTime(value);
  const seconds = (value as Record<string, unknown>)['value'];
  return typeof seconds === 'number' ? plausibleTime(seconds * 1_000) : undefined;
}

function keysOf(fields: Readonly<Record<string, unknown>>): string[] {
  const value: unknown = fields['keys'] ?? fields['routing-keys'];
  if (!Array.isArray(value)) return [];
  return value
    .slice(0, KEY_LIMIT)
    .flatMap((key: unknown) => (typeof key === 'string' ? [key.slice(0, TEXT_LIMIT_CHARS)] : []));
}
