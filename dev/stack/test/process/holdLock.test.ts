/** Goal: one holder at a time, also across processes. Method: two takers of a random name. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { holdLock } from '../../src/process/holdLock.ts';

test('the second taker gets nothing until the first lets go', async () => {
  const name = randomUUID();
  const first = await holdLock(name);
  assert.notEqual(first, undefined);
  assert.equal(await holdLock(name), undefined);
  first?.release();
  const again = await holdLock(name);
  assert.notEqual(again, undefined);
  again?.release();
});
