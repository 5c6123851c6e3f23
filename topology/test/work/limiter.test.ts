/** Goal: never more than the limit inside, first come first served. Method: by hand, then by property. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Limiter } from '../../src/work/limiter.ts';

test('with room it costs no promise; without it waits in order', async () => {
  const limiter = new Limiter(2);
  assert.equal(limiter.enter(), undefined);
  assert.equal(limiter.enter(), undefined);
  const order: string[] = [];
  const first = limiter.enter()?.then(() => order.push('first'));
  const second = limiter.enter()?.then(() => order.push('second'));
  assert.ok(first && second);
  limiter.leave();
  await first;
  limiter.leave();
  await second;
  assert.deepEqual(order, ['first', 'second']);
});

test('property: the bound holds and nobody is forgotten', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 30 }),
      async (limit, turns) => {
        const limiter = new Limiter(limit);
        const count = { inside: 0, most: 0, ended: 0 };
        await Promise.all(
          turns.map(async (turnCount) => {
            await limiter.enter();
            count.inside += 1;
            count.most = Math.max(count.most, count.inside);
            for (let turn = 0; turn < turnCount; turn += 1) await Promise.resolve();
            count.inside -= 1;
            count.ended += 1;
            limiter.leave();
          }),
        );
        assert.ok(count.most <= limit);
        assert.equal(count.ended, turns.length);
        assert.equal(limiter.enter(), undefined);
      },
    ),
  );
});
