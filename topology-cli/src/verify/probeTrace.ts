/** The path of one probe, as expected or as observed. Both have one shape, so that they can be compared. No I/O. */
import type { DeathCause, TopologyPlan } from '@fit/topology';
import type { PublishResult } from '@fit/topology/amqp';
import type { HistoryStep } from '@fit/topology/testing';
import type { SimulationEnd } from '../simulate/simulation.ts';

/** One delivery from a main queue. */
export interface ProbeDelivery {
  /** Milliseconds since the publish. */
  readonly atMs: number;
  readonly queue: string;
  readonly key: string;
  /** Counted from 1; undefined if the key belongs to no tier of the kind. */
  readonly attempt: number | undefined;
  /** Wait queue from which the message returned; undefined if it did not come from one. */
  readonly waitQueue: string | undefined;
  /**
   * Milliseconds since the publish at which the consumer opened; negative if it was open before. A message that was due
   * before that is late only against this time. Default 0.
   */
  readonly consumedFromMs?: number;
}

/** One message that arrived in a dead-letter queue. */
export interface ProbeDeadLetter {
  /** Milliseconds since the publish. */
  readonly atMs: number;
  readonly queue: string;
  readonly cause: DeathCause;
  /** False if a message that only fills the queue died in place of the probe. */
  readonly isProbe: boolean;
}

export interface ProbeTrace {
  /** Undefined while the broker has not answered the publish. */
  readonly published: PublishResult | undefined;
  readonly deliveries: readonly ProbeDelivery[];
  readonly deadLetters: readonly ProbeDeadLetter[];
}

export interface SimulatedPath {
  readonly steps: readonly HistoryStep[];
  readonly end: SimulationEnd;
  readonly totalMs: number;
}

/** @param hasConsumer false if no worker consumes, so the probe only stays in its queue. */
export function expectedTrace(
  plan: TopologyPlan,
  { steps, end, totalMs }: SimulatedPath,
  hasConsumer: boolean,
): ProbeTrace {
  const roleOf = (step: HistoryStep | undefined) =>
    step?.placeType === 'queue'
      ? plan.queues.find(({ name }) => name === step.place)?.role
      : undefined;
  const deliveries = steps.flatMap((step, index): ProbeDelivery[] => {
    // A step that takes time in the main queue is not a delivery: the broker holds a requeued message back.
    if (!hasConsumer || roleOf(step) !== 'main' || step.durationMs > 0) return [];
    const before = steps[index - 1];
    return [
      {
        atMs: step.atMs,
        queue: step.place,
        key: step.key,
        attempt: step.attempt,
        waitQueue: roleOf(before) === 'wait' ? before?.place : undefined,
      },
    ];
  });
  const deadLetters: ProbeDeadLetter[] =
    end.type === 'dead'
      ? [{ atMs: totalMs, queue: end.queue, cause: end.cause, isProbe: true }]
      : [];
  return {
    published: end.type === 'lost' ? 'returned' : 'confirmed',
    deliveries,
    deadLetters,
  };
}

/**
 * @param queue main queue of the kind; its name is left out of the others.
 * @returns such as '#1 → wait.1.50ms → #2 → dead: fatal', with the numbers of the attempts.
 */
export function traceText(
  { published, deliveries, deadLetters }: ProbeTrace,
  queue: string,
): string {
  const shortName = (name: string) =>
    name.startsWith(`${queue}.`) ? name.slice(queue.length + 1) : name;
  const stops = [
    ...(published === 'confirmed' ? [] : [published ?? 'no answer to the publish']),
    ...deliveries.flatMap(({ waitQueue, attempt }) => [
      ...(waitQueue === undefined ? [] : [shortName(waitQueue)]),
      `#${attempt ?? '?'}`,
    ]),
    ...deadLetters.map(({ queue: name, cause }) => `${shortName(name)}: ${cause}`),
  ];
  return stops.length === 0 ? 'accepted, never delivered' : withoutRepeats(stops).join(' → ');
}

/** @returns milliseconds from the publish to the last event; 0 if there was none. */
export function traceDurationMs({ deliveries, deadLetters }: ProbeTrace): number {
  return Math.max(0, ...[...deliveries, ...deadLetters].map(({ atMs }) => atMs));
}

export interface TraceComparison {
  /** In words; empty if the traces are equal. */
  readonly differences: readonly string[];
  /** Milliseconds by which the latest event was late, each against the event before it; 0 if none was. */
  readonly lateByMs: number;
}

/** Broker and consumer round to milliseconds, each in its own way. */
const ROUNDING_MS = 2;

/** @param toleranceMs how late one event may be. */
export function compareTraces(
  expected: ProbeTrace,
  observed: ProbeTrace,
  toleranceMs: number,
): TraceComparison {
  const delays = eventDelays(expected, observed);
  return {
    differences: [
      ...compareValue('publish: answer', observed.published, expected.published),
      ...compareDeliveries(expected.deliveries, observed.deliveries),
      ...compareDeadLetters(expected.deadLetters, observed.deadLetters),
      ...delays
        .filter(({ lateByMs }) => lateByMs < -ROUNDING_MS)
        .map(({ event, lateByMs }) => `${event}: ${Math.round(-lateByMs)} ms too early`),
      ...delays
        .filter(({ lateByMs }) => lateByMs > toleranceMs)
        .map(({ event, lateByMs }) => `${event}: ${Math.round(lateByMs)} ms late`),
    ],
    lateByMs: Math.max(0, ...delays.map(({ lateByMs }) => lateByMs)),
  };
}

function compareDeliveries(
  expected: readonly ProbeDelivery[],
  observed: readonly ProbeDelivery[],
): string[] {
  return Array.from({ length: Math.max(expected.length, observed.length) }, (_, index) => {
    const [wanted, found] = [expected[index], observed[index]];
    const event = `delivery ${index + 1}`;
    if (wanted === undefined) return [`${event}: from ${found?.queue}, is one too many`];
    if (found === undefined) return [`${event}: did not come`];
    return [
      ...compareValue(`${event}: queue`, found.queue, wanted.queue),
      ...compareValue(`${event}: key`, found.key, wanted.key),
      ...compareValue(`${event}: attempt`, found.attempt, wanted.attempt),
      ...compareValue(`${event}: wait queue`, found.waitQueue, wanted.waitQueue),
    ];
  }).flat();
}

function compareDeadLetters(
  expected: readonly ProbeDeadLetter[],
  observed: readonly ProbeDeadLetter[],
): string[] {
  return Array.from({ length: Math.max(expected.length, observed.length) }, (_, index) => {
    const [wanted, found] = [expected[index], observed[index]];
    if (wanted === undefined)
      return [`dead letter: ${found?.cause} in ${found?.queue}, is one too many`];
    if (found === undefined) return ['dead letter: did not come'];
    return [
      ...compareValue('dead letter: queue', found.queue, wanted.queue),
      ...compareValue('dead letter: cause', found.cause, wanted.cause),
      ...(found.isProbe ? [] : ['dead letter: not the oldest message']),
    ];
  }).flat();
}

type Value = string | number | undefined;

function compareValue(what: string, found: Value, wanted: Value): string[] {
  return found === wanted ? [] : [`${what} ${found ?? 'none'} instead of ${wanted ?? 'none'}`];
}

interface EventDelay {
  readonly event: string;
  /** Negative if the event came too early. */
  readonly lateByMs: number;
}

/** Each event is measured against the one before it, so that one late event does not make all later ones late. */
function eventDelays(expected: ProbeTrace, observed: ProbeTrace): EventDelay[] {
  const wanted = timedEvents(expected);
  const found = timedEvents(observed);
  return found.flatMap(({ event, atMs, consumedFromMs = 0 }, index) => {
    const planned = wanted[index];
    if (planned?.event !== event) return [];
    const dueMs = (found[index - 1]?.atMs ?? 0) + planned.atMs - (wanted[index - 1]?.atMs ?? 0);
    // No consumer was open when the message was due, so it is late only against the time at which one opened.
    const wasUnconsumed = atMs >= dueMs && consumedFromMs > dueMs;
    return [{ event, lateByMs: atMs - (wasUnconsumed ? Math.min(atMs, consumedFromMs) : dueMs) }];
  });
}

interface TimedEvent {
  readonly event: string;
  readonly atMs: number;
  readonly consumedFromMs?: number | undefined;
}

function timedEvents({ deliveries, deadLetters }: ProbeTrace): TimedEvent[] {
  return [
    ...deliveries.map(({ atMs, consumedFromMs }, index) => ({
      event: `delivery ${index + 1}`,
      atMs,
      consumedFromMs,
    })),
    ...deadLetters.map(({ atMs }) => ({ event: 'dead letter', atMs })),
  ];
}

/** A crash loop is the same stop again and again, so repeated stops are written once with their count. */
function withoutRepeats(stops: readonly string[]): string[] {
  const starts = stops.flatMap((stop, index) => (stop === stops[index - 1] ? [] : [index]));
  return starts.map((start, index) => {
    const count = (starts[index + 1] ?? stops.length) - start;
    return count === 1 ? `${stops[start]}` : `${stops[start]} (${count} times)`;
  });
}
