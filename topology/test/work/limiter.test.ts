/** Goal: never more than the limit run, in the order of arrival. Method: examples, then a property. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Limiter } from '../../src/work/queueWorker.ts';

test('below the limit it returns no promise; at the limit the callers wait in their order', async () => {
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

test('held, nobody is let in before the release; those who are dismissed are told, and take no place', async () => {
  const limiter = new Limiter(2);
  assert.equal(limiter.enter(), undefined);
  limiter.hold();
  const first = limiter.enter();
  const second = limiter.enter();
  limiter.leave();
  limiter.release();
  assert.deepEqual([await first, await second], [true, true]);
  const third = limiter.enter();
  limiter.dismiss();
  assert.equal(await third, false);
  limiter.leave();
  assert.equal(limiter.enter(), undefined);
});

test('property: the limit holds, and every caller runs', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 30 }),
      async (limit, turns) => {
        const limiter = new Limiter(limit);
        const count = { running: 0, most: 0, ended: 0 };
        await Promise.all(
          turns.map(async (turnCount) => {
            await limiter.enter();
            count.running += 1;
            count.most = Math.max(count.most, count.running);
            for (let turn = 0; turn < turnCount; turn += 1) await Promise.resolve();
            count.running -= 1;
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
