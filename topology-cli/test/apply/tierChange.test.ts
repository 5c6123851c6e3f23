/**
 * Goal: other tiers come into use under running workers, and no message is lost, duplicated, stuck or dead-lettered early.
 * Method: every delivery is rejected while the tiers change; each message's end is counted.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { planFor } from '../../src/apply/applyTopology.ts';
import { drainTopology } from '../../src/apply/drainTopology.ts';
import { ApplyEnvironment, Load, tiersOf } from './applyEnvironment.ts';
import { normalised } from './brokerModel.ts';

/** As 5 s, 30 s, 2 min → 10 s, 1 min, but sooner over. */
const BEFORE = tiersOf([400, 1_500, 6_000]);
const AFTER = tiersOf([800, 3_000]);
const PART_COUNT = 330;

test('1,000 messages in all tiers, and all deliveries rejected: each message ends once, then the former queues are drained', async (t) => {
  const live = await ApplyEnvironment.open(t);
  const { testTopology } = live;
  await live.apply(BEFORE);
  const load = new Load(live);
  await load.open();
  for (const queue of ['one.wait.3.6s', 'one.wait.2.1500ms', 'one.wait.1.400ms']) {
    await load.publish(PART_COUNT);
    await testTopology.expectReady(queue, PART_COUNT);
  }
  const { steps } = await live.apply(AFTER, () => load.publishRejected(2));
  assert.ok(steps.length > 12);
  load.finish((id) => id.endsWith('7'));
  assert.deepEqual(await load.misses(), {});
  // Nobody was sent to the dead-letter queue before the last tier of the new ladder.
  assert.deepEqual([...new Set(load.lastKeys)].sort(), ['one.r2', 'one.r3']);
  assert.ok(load.ends.length > 1_000 && load.lastKeys.length < load.ends.length);

  assert.deepEqual(await live.drift(AFTER), [
    'QUEUE_OLD one.wait.1.400ms',
    'QUEUE_OLD one.wait.2.1500ms',
    'QUEUE_OLD one.wait.3.6s',
  ]);
  const admin = await live.admin();
  const report = await drainTopology({
    admin,
    api: live.api,
    plan: planFor(AFTER, admin.version),
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  assert.equal(report.end, 'drained');
  assert.deepEqual(report.unboundReturns, ['one.return [one.r3] -> one']);
  assert.deepEqual(await live.diff(AFTER), []);
});

const SHORT = { before: tiersOf([100, 300]), after: tiersOf([200, 250, 350]) };

/** How a run ends before its step: by a throw, as a failed step; or by its connection, as a kill. */
const KILLS = ['throw', 'cut'] as const;

for (const kill of KILLS)
  test(`killed (${kill}) before each step and run again: the same end, and each message ends once`, async (t) => {
    const whole = await ApplyEnvironment.open(t);
    await whole.apply(SHORT.before);
    const { steps } = await whole.apply(SHORT.after);
    const expected = normalised(await whole.live());
    const indexes = steps.map((_, index) => index);
    // A few at a time: the machine is small.
    for (let first = 0; first < indexes.length; first += 3)
      await Promise.all(
        indexes.slice(first, first + 3).map(async (killedIndex) => {
          const live = await ApplyEnvironment.open(t);
          await live.apply(SHORT.before);
          const load = new Load(live);
          await load.open();
          await load.publish(20);
          await assert.rejects(
            live.apply(SHORT.after, async (_, index) => {
              await load.publishRejected(1);
              if (index !== killedIndex) return;
              if (kill === 'throw') throw new Error('killed');
              await live.cut();
            }),
          );
          await load.publishRejected(5);
          await live.apply(SHORT.after, () => load.publishRejected(1));
          assert.deepEqual(normalised(await live.live()), expected);
          assert.deepEqual(await load.misses(), {});
          // The last keys of both sets of tiers: no message was dead-lettered before.
          assert.ok(load.lastKeys.every((key) => key === 'one.r2' || key === 'one.r3'));
          await live.testTopology.close();
        }),
      );
  });

test('a tier change interrupted, then replaced by a third set of tiers: the third applies, each message ends once', async (t) => {
  const live = await ApplyEnvironment.open(t);
  await live.apply(SHORT.before);
  const load = new Load(live);
  await load.open();
  await load.publish(50);
  await assert.rejects(
    live.apply(SHORT.after, async (step) => {
      await load.publishRejected(1);
      if (step.type === 'unbind') throw new Error('killed');
    }),
  );
  assert.ok((await live.drift(SHORT.after)).includes('TIER_CHANGE_LEFT one.retry.switch'));
  const third = tiersOf([150, 400]);
  assert.ok((await live.drift(third)).includes('TIER_CHANGE_LEFT one.retry.switch'));
  await live.apply(third, () => load.publishRejected(1));
  assert.deepEqual(
    (await live.diff(third)).filter(({ code }) => code !== 'QUEUE_OLD'),
    [],
  );
  assert.deepEqual(await load.misses(), {});
  await eventually(async () => (await live.testTopology.readyCount('one.dead')) === 0, {
    describe: () => 'dead letters are left',
  });
});
