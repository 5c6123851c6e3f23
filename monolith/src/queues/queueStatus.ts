/** Each declared queue: how full, how fast, full when, and how old the oldest is. Pure. */
import type { QueuePlan } from '@fit/topology';
import Type, { type Static, type TSchema } from 'typebox';
import { Freshness } from '../cachedSource.ts';
import type { TimedSample } from './queueSampler.ts';
import type { QueueReading } from './readSample.ts';
import {
  growthPerSecond,
  type Point,
  ratePerSecond,
  slopePerSecond,
  timeToFullSeconds,
} from './trend.ts';

/** Null is: not known, or there is none. */
const orNull = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);
const Count = Type.Integer({ minimum: 0 });

export const QueueStatus = Type.Object({
  name: Type.String(),
  kind: Type.String(),
  role: Type.Enum(['main', 'wait', 'dlq']),
  /** From 1 for a wait queue, else 0. */
  tier: Count,
  /** missing: declared, and not on the broker. unknown: the broker did not say. */
  presence: Type.Enum(['present', 'missing', 'unknown']),
  ready: orNull(Count),
  unacked: orNull(Count),
  /** Dead letters that the queue holds until their target takes them. */
  held: orNull(Count),
  /** What the limit counts: ready and held, not unacked. */
  counted: orNull(Count),
  /** As declared. */
  limit: orNull(Count),
  /** As the broker says; null: it does not limit, or its source does not tell. */
  limitInForce: orNull(Count),
  /** The broker's limit is not the declared one: fill and time to full are those of the declaration. */
  hasLimitDrift: Type.Boolean(),
  /** Counted by limit; above 1 is legal. */
  fillRatio: orNull(Type.Number()),
  timeToFullSeconds: orNull(Type.Number()),
  consumers: orNull(Count),
  ttlSeconds: orNull(Type.Number()),
  /** Messages per second over the last minute. Null in a wait queue: the broker does not count what expires. */
  inPerSecond: orNull(Type.Number()),
  outPerSecond: orNull(Type.Number()),
  /** Growth of what the limit counts, by least squares. */
  netPerSecond: orNull(Type.Number()),
  /** Of the oldest message, or of the oldest queued job where the queue's type does not tell. */
  oldestAgeSeconds: orNull(Type.Number()),
});
export type QueueStatus = Static<typeof QueueStatus>;

export const QueueReport = Type.Object({
  /** management: counted by the broker, up to 5 s before. amqp: exact, but ready messages and consumers alone. */
  source: orNull(Type.Enum(['management', 'amqp'])),
  freshness: Freshness,
  queues: Type.Array(QueueStatus),
});
export type QueueReport = Static<typeof QueueReport>;

export interface QueueFacts {
  readonly samples: readonly TimedSample[];
  /** The oldest job that waits for a worker in a main queue, by the records. */
  readonly oldestQueuedAt: Date | undefined;
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
    presence: presenceOf(name, newest),
    ...depths(reading),
    ...limits(plan, reading, newest?.source),
    ...pace(plan, facts.samples),
    consumers: reading?.consumers ?? null,
    ttlSeconds: plan.ttlMs === undefined ? null : plan.ttlMs / 1_000,
    oldestAgeSeconds: oldestAge(plan, reading, facts),
  };
}

/** What the limit counts. A source that knows nothing of held letters counts them as none. */
function countedOf({ ready, held }: QueueReading): number {
  return ready + (held ?? 0);
}

function presenceOf(name: string, newest: TimedSample | undefined): QueueStatus['presence'] {
  if (newest === undefined) return 'unknown';
  if (!newest.queues.has(name)) return 'missing';
  return newest.queues.get(name) === undefined ? 'unknown' : 'present';
}

function depths(reading: QueueReading | undefined) {
  return {
    ready: reading?.ready ?? null,
    unacked: reading?.unacked ?? null,
    held: reading?.held ?? null,
    counted: reading === undefined ? null : countedOf(reading),
  };
}

function limits(
  plan: QueuePlan,
  reading: QueueReading | undefined,
  source: TimedSample['source'] | undefined,
) {
  const limit = plan.maxLength ?? null;
  const limitInForce = reading?.limitInForce ?? null;
  const isTold = reading !== undefined && source === 'management';
  return {
    limit,
    limitInForce,
    hasLimitDrift: isTold && limit !== limitInForce,
    fillRatio: limit === null || reading === undefined ? null : countedOf(reading) / limit,
  };
}

/** Readings of the newest one's source alone: the other one counts otherwise, and the change would be a trend. */
function pace(plan: QueuePlan, samples: readonly TimedSample[]) {
  const newest = samples.at(-1);
  const alike = samples.filter(({ source }) => source === newest?.source);
  const pointsOf = (value: (reading: QueueReading) => number | undefined): Point[] =>
    alike.flatMap(({ atMs, queues }) => {
      const reading = queues.get(plan.name);
      const number = reading && value(reading);
      return number === undefined ? [] : [{ atMs, value: number }];
    });
  const counted = pointsOf(countedOf);
  const net = slopePerSecond(counted);
  const last = counted.at(-1);
  const out =
    plan.role === 'wait' ? undefined : ratePerSecond(pointsOf(({ delivered }) => delivered));
  const growth = growthPerSecond(pointsOf(({ ready }) => ready));
  const isFillable = plan.maxLength !== undefined && last !== undefined;
  const timeToFull = isFillable
    ? timeToFullSeconds({ counted: last.value, limit: plan.maxLength }, net)
    : undefined;
  return {
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
