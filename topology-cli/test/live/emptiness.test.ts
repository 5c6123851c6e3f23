/** Goal: a queue counts as empty only when counts far enough apart say so. Method: pure readings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COUNT_INTERVAL_MS,
  type EmptinessProof,
  type EmptyReading,
  proveEmpty,
} from '../../src/live/emptiness.ts';

const EMPTY: EmptyReading = { readyCount: 0, messageCount: 0, heldCount: 0, consumerCount: 0 };

function provenAfter(readings: readonly (readonly [nowMs: number, reading: EmptyReading])[]) {
  return readings.reduce<EmptinessProof | undefined>(
    (proof, [nowMs, reading]) =>
      proveEmpty(proof, reading, { nowMs, countIntervalMs: COUNT_INTERVAL_MS }),
    undefined,
  )?.isProven;
}

test('one reading proves nothing, nor do two that may show one count', () => {
  assert.equal(provenAfter([[0, EMPTY]]), false);
  assert.equal(provenAfter([at(0), at(6_000), at(11_999)]), false);
  assert.equal(provenAfter([at(0), at(12_000)]), true);
});

test('whatever is there, or is not counted yet, begins the proof anew', () => {
  for (const change of [
    { readyCount: 1 },
    { messageCount: 1 },
    { messageCount: undefined },
    { heldCount: 1 },
    { consumerCount: 1 },
  ]) {
    assert.equal(provenAfter([at(0, change), at(99_000, change)]), false);
    const row = [at(0), at(9_000, change), at(13_000), at(24_999)];
    assert.equal(provenAfter(row), false);
    assert.equal(provenAfter([...row, at(25_000)]), true);
  }
});

function at(nowMs: number, change: Partial<EmptyReading> = {}): readonly [number, EmptyReading] {
  return [nowMs, { ...EMPTY, ...change }];
}
