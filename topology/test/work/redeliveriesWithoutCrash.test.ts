/** Goal: a process remembers, within a limit, the deliveries of its lost connections. Method: a few counts, then too many. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REMEMBERED_MESSAGE_LIMIT, RedeliveriesWithoutCrash } from '../../src/work/quarantine.ts';

test('each loss counts once for each message with an id', () => {
  const counter = new RedeliveriesWithoutCrash();
  counter.add('a');
  counter.add('a');
  counter.add('b');
  counter.add(undefined);
  assert.deepEqual(
    ['a', 'b', 'c', undefined].map((id) => counter.countOf(id)),
    [2, 1, 0, 0],
  );
});

test('above the limit the id whose latest loss is oldest is forgotten first', () => {
  const counter = new RedeliveriesWithoutCrash(2);
  for (const id of ['a', 'b', 'a', 'c']) counter.add(id);
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => counter.countOf(id)),
    [2, 0, 1],
  );
  const full = new RedeliveriesWithoutCrash();
  for (let index = 0; index <= REMEMBERED_MESSAGE_LIMIT; index += 1) full.add(`m${index}`);
  assert.equal(full.size, REMEMBERED_MESSAGE_LIMIT);
});
