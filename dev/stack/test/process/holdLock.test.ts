/** Goal: a lock has one holder at a time. Method: two callers with a random name. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { holdLock } from '../../src/process/holdLock.ts';

test('the second caller gets no lock until the first releases it', async () => {
  const name = randomUUID();
  const first = await holdLock(name);
  assert.notEqual(first, undefined);
  assert.equal(await holdLock(name), undefined);
  first?.release();
  const again = await holdLock(name);
  assert.notEqual(again, undefined);
  again?.release();
});
