/** Goal: a queue counts as empty only when readings far enough apart are empty. Method: pure readings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_COUNT_INTERVAL_MS,
  type EmptinessProof,
  proveEmpty,
  type QueueReading,
} from '../../src/apply/drainTopology.ts';

const EMPTY: QueueReading = {
  readyCount: 0,
  messageCount: 0,
  awaitingTransferCount: 0,
  consumerCount: 0,
};

function isProvedAfter(readings: readonly (readonly [nowMs: number, reading: QueueReading])[]) {
  return readings.reduce<EmptinessProof | undefined>(
    (proof, [nowMs, reading]) => proveEmpty(proof, reading, nowMs, DEFAULT_COUNT_INTERVAL_MS),
    undefined,
  )?.isProved;
}

test('one reading proves nothing, nor do two that may show the same count', () => {
  assert.equal(isProvedAfter([[0, EMPTY]]), false);
  assert.equal(isProvedAfter([at(0), at(6_000), at(11_999)]), false);
  assert.equal(isProvedAfter([at(0), at(12_000)]), true);
});

test('a message, a consumer or a missing count restarts the proof', () => {
  for (const change of [
    { readyCount: 1 },
    { messageCount: 1 },
    { messageCount: undefined },
    { awaitingTransferCount: 1 },
    { consumerCount: 1 },
  ]) {
    assert.equal(isProvedAfter([at(0, change), at(99_000, change)]), false);
    const row = [at(0), at(9_000, change), at(13_000), at(24_999)];
    assert.equal(isProvedAfter(row), false);
    assert.equal(isProvedAfter([...row, at(25_000)]), true);
  }
});

function at(nowMs: number, change: Partial<QueueReading> = {}): readonly [number, QueueReading] {
  return [nowMs, { ...EMPTY, ...change }];
}
