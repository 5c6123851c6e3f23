/** The status of each declared queue: fill, rates, time to full, age of the oldest message. No I/O. */
import type { Pause } from '@fit/jobs/store';
import type { QueuePlan } from '@fit/topology';
import Type, { type Static, type TSchema } from 'typebox';
import { Freshness } from '../cachedSource.ts';
import type { QueueReading, TimedSample } from './queueSampler.ts';
import {
  FILL_TRENDS,
  fillTrendOf,
  growthPerSecond,
  type Point,
  ratePerSecond,
  slopePerSecond,
  timeToFullSeconds,
} from './trend.ts';

/** Null: the value is not known, or does not exist. */
const orNull = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);
const Count = Type.Integer({ minimum: 0 });

/** Somebody told workers to take no more. */
export const PauseView = Type.Object({
  since: Type.String(),
  /** Id of the account. */
  by: Type.String(),
  reason: Type.String(),
});

export function pauseView(pause: Pause | undefined): Static<typeof PauseView> | null {
  return pause === undefined ? null : { ...pause, since: pause.since.toISOString() };
}

export const QueueStatus = Type.Object({
  name: Type.String(),
  kind: Type.String(),
  role: Type.Enum(['main', 'wait', 'dlq']),
  /** Number of the retry tier, from 1, for a wait queue; 0 for the others. */
  tier: Count,
  /** Since when, by whom and why its workers take nothing; null where it is not paused. Only a main queue can be paused. */
  paused: orNull(PauseView),
  /** missing: declared, but not on the broker. unknown: the broker did not answer, or has not counted the queue yet. */
  presence: Type.Enum(['present', 'missing', 'unknown']),
  ready: orNull(Count),
  unacked: orNull(Count),
  /** Messages that the queue keeps until the next queue has capacity for them. */
  awaitingTransfer: orNull(Count),
  /** Messages that count against the limit: ready and awaiting transfer, without unacked. */
  countedByLimit: orNull(Count),
  /** The declared limit. */
  limit: orNull(Count),
  /** The limit that the broker enforces; null: it enforces none, or the source does not report it. */
  limitInForce: orNull(Count),
  /** True if both limits differ. Fill and time to full are those of the declared limit. */
  hasLimitDrift: Type.Boolean(),
  /** `countedByLimit` by `limit`; the broker allows values above 1. */
  fillRatio: orNull(Type.Number()),
  /** Whether `countedByLimit` grows: filling, notFilling, or unknown with fewer than two samples. */
  fillTrend: Type.Enum([...FILL_TRENDS]),
  /** Only of a queue with a limit that is filling. */
  timeToFullSeconds: orNull(Type.Number()),
  consumers: orNull(Count),
  ttlSeconds: orNull(Type.Number()),
  /** Messages per second over the last minute. Null for a wait queue, since the broker does not count expired messages. */
  inPerSecond: orNull(Type.Number()),
  outPerSecond: orNull(Type.Number()),
  /** Growth of `countedByLimit`, by least squares. */
  netPerSecond: orNull(Type.Number()),
  /** Age of the oldest message, or of the oldest queued job if the type of the queue does not report the message. */
  oldestAgeSeconds: orNull(Type.Number()),
});
export type QueueStatus = Static<typeof QueueStatus>;

export const QueueReport = Type.Object({
  /** management: ready messages and consumers as of `asOf`, the other counts up to 5 s older. amqp: ready messages and consumers only. */
  source: orNull(Type.Enum(['management', 'amqp'])),
  /** When the broker was asked; null before its first answer. */
  asOf: orNull(Type.String()),
  freshness: Freshness,
  queues: Type.Array(QueueStatus),
});
export type QueueReport = Static<typeof QueueReport>;

export interface QueueFacts {
  readonly samples: readonly TimedSample[];
  /** When the oldest job in a main queue was queued, by the job records. */
  readonly oldestQueuedAt: Date | undefined;
  /** @returns the pause of a queue; undefined where it is not paused. */
  readonly pauseOf: (queue: string) => Pause | undefined;
  readonly now: Date;
}

export function queueStatus(plan: QueuePlan, facts: QueueFacts): QueueStatus {
  const newest = facts.samples.at(-1);
  const reading = newest?.queues.get(plan.name);
  const { name, kind, role, tier } = plan;
  return {
    name,
    kind,
    role,
    tier,
    paused: pauseView(facts.pauseOf(name)),
    presence: presenceOf(name, newest),
    ready: reading === undefined ? null : (reading.readyNow ?? reading.ready),
    unacked: reading?.unacked ?? null,
    awaitingTransfer: reading?.awaitingTransfer ?? null,
    countedByLimit: reading === undefined ? null : countedNow(reading),
    ...limits(plan, reading, newest?.source),
    ...rates(plan, facts.samples),
    consumers: reading?.consumers ?? null,
    ttlSeconds: plan.ttlMs === undefined ? null : plan.ttlMs / 1_000,
    oldestAgeSeconds: oldestAge(plan, reading, facts),
  };
}

/** A source that does not report messages awaiting transfer counts as one that has none. */
function countedByLimit({ ready, awaitingTransfer }: QueueReading): number {
  return ready + (awaitingTransfer ?? 0);
}

function countedNow(reading: QueueReading): number {
  return countedByLimit({ ...reading, ready: reading.readyNow ?? reading.ready });
}

function presenceOf(name: string, newest: TimedSample | undefined): QueueStatus['presence'] {
  if (newest === undefined) return 'unknown';
  if (!newest.queues.has(name)) return 'missing';
  return newest.queues.get(name) === undefined ? 'unknown' : 'present';
}

function limits(
  plan: QueuePlan,
  reading: QueueReading | undefined,
  source: TimedSample['source'] | undefined,
) {
  const limit = plan.maxLength ?? null;
  const limitInForce = reading?.limitInForce ?? null;
  const isReported = reading !== undefined && source === 'management';
  return {
    limit,
    limitInForce,
    hasLimitDrift: isReported && limit !== limitInForce,
    fillRatio: limit === null || reading === undefined ? null : countedNow(reading) / limit,
  };
}

/**
 * Rates over the samples of one source, that of the newest sample: the other source counts other messages, and the
 * difference would look like growth.
 */
function rates(plan: QueuePlan, samples: readonly TimedSample[]) {
  const newest = samples.at(-1);
  const comparable = samples.filter(({ source }) => source === newest?.source);
  const pointsOf = (value: (reading: QueueReading) => number | undefined): Point[] =>
    comparable.flatMap(({ atMs, queues }) => {
      const reading = queues.get(plan.name);
      const number = reading && value(reading);
      return number === undefined ? [] : [{ atMs, value: number }];
    });
  const counted = pointsOf(countedByLimit);
  const net = slopePerSecond(counted);
  const last = counted.at(-1);
  const out =
    plan.role === 'wait' ? undefined : ratePerSecond(pointsOf(({ delivered }) => delivered));
  const growth = growthPerSecond(pointsOf(({ ready }) => ready));
  const timeToFull =
    plan.maxLength === undefined || last === undefined
      ? undefined
      : timeToFullSeconds({ counted: last.value, limit: plan.maxLength }, net);
  return {
    fillTrend: fillTrendOf(net),
    timeToFullSeconds: timeToFull ?? null,
    inPerSecond:
      out === undefined || growth === undefined ? null : rounded(Math.max(0, out + growth)),
    outPerSecond: out === undefined ? null : rounded(out),
    netPerSecond: net === undefined ? null : rounded(net),
  };
}

function oldestAge(
  { role }: QueuePlan,
  reading: QueueReading | undefined,
  { oldestQueuedAt, now }: QueueFacts,
): number | null {
  const oldest = reading?.headAt ?? (role === 'main' ? oldestQueuedAt : undefined);
  return oldest === undefined
    ? null
    : Math.max(0, rounded((now.getTime() - oldest.getTime()) / 1_000));
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
