/** Goal: a process remembers, within a limit, the deliveries of its lost connections. Method: a few counts, then too many. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SURVIVED_RETURNS_LIMIT, SurvivedReturns } from '../../src/work/quarantine.ts';

test('each loss counts once for each message with an id', () => {
  const survived = new SurvivedReturns();
  survived.add('a');
  survived.add('a');
  survived.add('b');
  survived.add(undefined);
  assert.deepEqual(
    ['a', 'b', 'c', undefined].map((id) => survived.countOf(id)),
    [2, 1, 0, 0],
  );
});

test('above the limit the id whose latest loss is oldest is forgotten first', () => {
  const survived = new SurvivedReturns(2);
  for (const id of ['a', 'b', 'a', 'c']) survived.add(id);
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => survived.countOf(id)),
    [2, 0, 1],
  );
  const full = new SurvivedReturns();
  for (let index = 0; index <= SURVIVED_RETURNS_LIMIT; index += 1) full.add(`m${index}`);
  assert.equal(full.size, SURVIVED_RETURNS_LIMIT);
});
