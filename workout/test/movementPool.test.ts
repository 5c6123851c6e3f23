/** Goal: a pool is made once for a profile, and memory stays bounded. Method: pools are compared by identity. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { movementPool } from '../src/movementPool.ts';
import { EQUIPMENT, EXCLUSIONS, type User } from '../src/user.ts';

const ANN: User = { userId: 'ann', level: 'rx', equipment: ['barbell', 'box'] };

test('users with the same equipment and exclusions have one pool, whatever their order and level', () => {
  const pool = movementPool(ANN);
  const bob: User = {
    userId: 'bob',
    level: 'beginner',
    equipment: ['box', 'barbell', 'box'],
    exclusions: [],
  };
  assert.equal(movementPool(bob), pool);
  assert.notEqual(movementPool({ ...ANN, equipment: ['barbell'] }), pool);
  assert.notEqual(movementPool({ ...ANN, exclusions: ['impact'] }), pool);
  assert.throws(() => Object.assign(pool.excluded.W1, { bench: 0 }), TypeError, 'is shared');
});

test('after 1,000 other profiles the oldest pool is made again, and is equal', () => {
  const first = movementPool(ANN);
  const items = [...EQUIPMENT, ...EXCLUSIONS];
  for (let profile = 0; profile < 1_100; profile += 1) {
    const chosen = items.filter((_, index) => (profile & (1 << index)) !== 0);
    const equipment = EQUIPMENT.filter((item) => chosen.includes(item));
    const exclusions = EXCLUSIONS.filter((item) => chosen.includes(item));
    movementPool({ ...ANN, equipment, exclusions });
  }
  const again = movementPool(ANN);
  assert.notEqual(again, first);
  assert.deepEqual(again, first);
});
