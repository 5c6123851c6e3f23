/** The way of one probe, as planned or as seen: both have one shape, so that they can be compared. */

import type { DeathCause, TopologyPlan } from '@fit/topology';
import type { PublishResult } from '@fit/topology/amqp';
import type { Ending, Step } from '../simulate/journey.ts';

/** One delivery from a main queue. */
export interface Visit {
  /** Milliseconds since the publish. */
  readonly atMs: number;
  readonly queue: string;
  readonly key: string;
  /** Counted from 1; undefined for a key that is none of the kind's. */
  readonly attempt: number | undefined;
  /** The wait queue that it came by. */
  readonly via: string | undefined;
  /** Since when somebody consumes; what comes later than planned but at once then is not late. Default 0. */
  readonly attendedFromMs?: number;
}

/** One letter in a dead-letter queue. */
export interface VisitedLetter {
  /** Milliseconds since the publish. */
  readonly atMs: number;
  readonly queue: string;
  readonly cause: DeathCause;
  /** Of the probe's own message; false where a message that only fills the queue died instead. */
  readonly isProbe: boolean;
}

/** What became of one probe. */
export interface Way {
  /** Undefined while the broker has not answered. */
  readonly published: PublishResult | undefined;
  readonly visits: readonly Visit[];
  readonly letters: readonly VisitedLetter[];
}

/** A way as the planner's own engine tells it. */
export interface Told {
  readonly steps: readonly Step[];
  readonly ending: Ending;
  readonly totalMs: number;
}

/** @param isAttended false where no worker sees the probe, which only lies in its queue. */
export function wayOf(plan: TopologyPlan, told: Told, isAttended: boolean): Way {
  const { steps, ending, totalMs: atMs } = told;
  const roleOf = (step: Step | undefined) =>
    step?.placeType === 'queue'
      ? plan.queues.find(({ name }) => name === step.place)?.role
      : undefined;
  const visits = steps.flatMap((step, index) => {
    const { place, key, attempt, durationMs, atMs: visitMs } = step;
    // Time spent in the main queue is no delivery: the broker holds a returned message back.
    if (!isAttended || roleOf(step) !== 'main' || durationMs > 0) return [];
    const before = steps[index - 1];
    const via = roleOf(before) === 'wait' ? before?.place : undefined;
    return [{ atMs: visitMs, queue: place, key, attempt, via }];
  });
  const { type } = ending;
  const letter =
    type === 'dead' ? [{ atMs, queue: ending.queue, cause: ending.cause, isProbe: true }] : [];
  return { published: type === 'lost' ? 'returned' : 'confirmed', visits, letters: letter };
}

/** @returns such as '#1 → wait.1.50ms → #2 → dead: fatal', with the numbers of the attempts; names without the kind's queue. */
export function wayText({ published, visits, letters }: Way, queue: string): string {
  const short = (name: string) =>
    name.startsWith(`${queue}.`) ? name.slice(queue.length + 1) : name;
  const stops = visits.flatMap(({ via, attempt }) => [
    ...(via === undefined ? [] : [short(via)]),
    `#${attempt ?? '?'}`,
  ]);
  const dead = letters.map(({ queue: name, cause }) => `${short(name)}: ${cause}`);
  const first = published === 'confirmed' ? [] : [published ?? 'no answer to the publish'];
  const text = counted([...first, ...stops, ...dead]).join(' → ');
  return text === '' ? 'accepted, never seen' : text;
}

/** @returns milliseconds from the publish to the last stop; 0 where there was none. */
export function wayMs({ visits, letters }: Way): number {
  return Math.max(0, ...[...visits, ...letters].map(({ atMs }) => atMs));
}

/** A crash loop is the same stop again and again. */
function counted(stops: readonly string[]): string[] {
  const starts = stops.flatMap((stop, index) => (stop === stops[index - 1] ? [] : [index]));
  return starts.map((start, index) => {
    const count = (starts[index + 1] ?? stops.length) - start;
    return count === 1 ? `${stops[start]}` : `${stops[start]} (${count} times)`;
  });
}
