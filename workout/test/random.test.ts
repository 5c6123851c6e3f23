/** Goal: random choices are uniform and repeatable. Method: counts over many draws of a fixed seed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRandom, seedOf } from '../src/random.ts';

const SEED = seedOf('ada', '2026-01-01', 1);

describe('random', () => {
  test('the seed depends on user, date and version, also where their concatenation is equal', () => {
    const seeds = [
      SEED,
      seedOf('adb', '2026-01-01', 1),
      seedOf('ada', '2026-01-02', 1),
      seedOf('ada', '2026-01-01', 2),
      seedOf('ada2', '026-01-01', 1),
    ];
    assert.equal(new Set(seeds).size, seeds.length);
    assert.match(SEED, /^[0-9a-f]{32}$/);
  });

  test('pick reaches every item about equally often', () => {
    const random = createRandom(SEED);
    const counts = [0, 0, 0, 0, 0];
    for (let draw = 0; draw < 10_000; draw += 1) {
      const item = random.pick([0, 1, 2, 3, 4]);
      counts[item] = (counts[item] ?? 0) + 1;
    }
    assert.ok(
      counts.every((count) => count > 1850 && count < 2150),
      counts.join(' '),
    );
  });

  test('shuffled keeps every item and does not change its argument', () => {
    const items = ['d', 'a', 'c', 'b'];
    const shuffled = createRandom(SEED).shuffled(items);
    assert.deepEqual(createRandom(SEED).shuffled(items), shuffled);
    assert.deepEqual([...shuffled].sort(), ['a', 'b', 'c', 'd']);
    assert.deepEqual(items, ['d', 'a', 'c', 'b']);
  });

  test('take removes what it returns, in the order of a shuffle, until the list is empty', () => {
    const items = ['a', 'b', 'c', 'd'];
    const random = createRandom(SEED);
    const rest = [...items];
    const taken = items.map(() => random.take(rest));
    assert.deepEqual(taken, createRandom(SEED).shuffled(items));
    assert.equal(random.take(rest), undefined);
  });
});
