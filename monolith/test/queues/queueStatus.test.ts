/** Goal: each value of a queue's status is exact or null. Method: calls without I/O on samples made by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitTopology } from '@fit/contract';
import { planTopology } from '@fit/topology';
import type { QueueReading, TimedSample } from '../../src/queues/queueSampler.ts';
import { type QueueStatus, queueStatus } from '../../src/queues/queueStatus.ts';

const declaration = fitTopology({ profile: 'assignment' });
const plan = planTopology(declaration, { version: '4.3.6', hasManagement: true });
const [main, wait] = ['main', 'wait'].map((role) => plan.queues.find((one) => one.role === role)!);
const START_MS = Date.parse('2026-11-23T05:00:00Z');

function samplesOf(name: string, readings: readonly (QueueReading | undefined)[]): TimedSample[] {
  return readings.map((reading, index) => ({
    source: 'management',
    atMs: START_MS + index * 5_000,
    queues: new Map([[name, reading]]),
  }));
}

const PAUSED = 'paused';
const PAUSE = { since: new Date(START_MS), by: 'ann', reason: 'repair' };

function statusOf(
  samples: readonly TimedSample[],
  queue = main!,
  oldestQueuedAt?: Date,
): QueueStatus {
  return queueStatus(queue, {
    samples,
    oldestQueuedAt,
    pauseOf: (name) => (name === PAUSED ? PAUSE : undefined),
    now: new Date(START_MS + 20_000),
  });
}

test('the fill counts messages that are ready or awaiting transfer, not unacked ones, and may exceed 1', () => {
  const reading = { ready: 90, unacked: 50, awaitingTransfer: 20, consumers: 2, limitInForce: 100 };
  const status = statusOf(samplesOf(main!.name, [reading]));
  assert.deepEqual([status.countedByLimit, status.limit, status.fillRatio], [110, 100, 1.1]);
  assert.equal(status.hasLimitDrift, false);
  assert.equal(status.timeToFullSeconds, null);
});

test('a queue that grows by two a second while one a second leaves: 3 in, 1 out, and the time to full', () => {
  const readings = [0, 10, 20, 30, 40].map((ready, index) => ({
    ready,
    unacked: 0,
    awaitingTransfer: 0,
    consumers: 1,
    limitInForce: 100,
    delivered: 500 + index * 5,
  }));
  const status = statusOf(samplesOf(main!.name, readings));
  assert.deepEqual([status.inPerSecond, status.outPerSecond, status.netPerSecond], [3, 1, 2]);
  assert.deepEqual([status.timeToFullSeconds, status.fillTrend], [30, 'filling']);
  const falling = statusOf(samplesOf(main!.name, readings.toReversed()));
  assert.deepEqual([falling.timeToFullSeconds, falling.fillTrend], [null, 'notFilling']);
  const once = statusOf(samplesOf(main!.name, readings.slice(0, 1)));
  assert.deepEqual([once.timeToFullSeconds, once.fillTrend], [null, 'unknown']);
});

test('a paused queue says since when, by whom and why', () => {
  const { paused } = statusOf([], { ...main!, name: PAUSED });
  assert.deepEqual(paused, { since: PAUSE.since.toISOString(), by: 'ann', reason: 'repair' });
  assert.equal(statusOf([]).paused, null);
});

test('a limit that differs from the declared one is drift; a source that reports no limits shows no drift', () => {
  const reading = { ready: 1, consumers: 1, limitInForce: 50 };
  assert.equal(statusOf(samplesOf(main!.name, [reading])).hasLimitDrift, true);
  const [sample] = samplesOf(main!.name, [{ ready: 1, consumers: 1 }]);
  assert.equal(statusOf([sample!]).hasLimitDrift, true, 'no limit at all');
  assert.equal(statusOf([{ ...sample!, source: 'amqp' }]).hasLimitDrift, false);
});

test('a queue that is missing, not counted yet or never read is not an empty queue', () => {
  const elsewhere = samplesOf('another', [{ ready: 0, consumers: 0 }]);
  assert.deepEqual(
    [elsewhere, samplesOf(main!.name, [undefined]), []].map((samples) => {
      const { presence, ready, fillRatio } = statusOf(samples);
      return [presence, ready, fillRatio];
    }),
    [
      ['missing', null, null],
      ['unknown', null, null],
      ['unknown', null, null],
    ],
  );
});

test('a wait queue has no rates and no limit', () => {
  const reading = { ready: 5, unacked: 0, awaitingTransfer: 0, consumers: 0, delivered: 0 };
  const status = statusOf(samplesOf(wait!.name, [reading, { ...reading, ready: 10 }]), wait);
  assert.deepEqual([status.inPerSecond, status.outPerSecond], [null, null]);
  assert.deepEqual([status.limit, status.fillRatio, status.timeToFullSeconds], [null, null, null]);
  assert.deepEqual([status.netPerSecond, status.ttlSeconds], [1, 5]);
});

test('samples of different sources give no trend', () => {
  const [one, two] = samplesOf(main!.name, [
    { ready: 10, awaitingTransfer: 500, consumers: 1 },
    { ready: 10, consumers: 1 },
  ]);
  assert.equal(statusOf([one!, { ...two!, source: 'amqp' }]).netPerSecond, null);
});

test('the oldest age is that of the head message if reported, else of the oldest queued job; a wait queue has none', () => {
  const queuedAt = new Date(START_MS + 15_000);
  const headAt = new Date(START_MS + 10_000);
  const reading = { ready: 1, consumers: 1 };
  const ageOf = (given: QueueReading, queue = main!) =>
    statusOf(samplesOf(queue.name, [given]), queue, queuedAt).oldestAgeSeconds;
  assert.deepEqual(
    [ageOf(reading), ageOf({ ...reading, headAt }), ageOf(reading, wait)],
    [5, 10, null],
  );
});
