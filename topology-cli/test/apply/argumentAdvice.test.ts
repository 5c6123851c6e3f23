/** Goal: an operator learns how a queue that exists can be adopted, or what its arguments would break. Method: pure; the advice is followed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declareTopology, type KindOptions, planTopology, provePlan } from '@fit/topology';
import { diffTopology } from '../../src/apply/diffTopology.ts';
import { liveOf } from './brokerModel.ts';

const ONE = { key: 'job.one', queue: 'one', tiers: ['5s', '10s'] } as const;
const planOf = (change: Partial<KindOptions> = {}, hasManagement = true) => {
  const declaration = declareTopology({ exchange: 'jobs', kinds: { one: { ...ONE, ...change } } });
  const plan = planTopology(declaration, { version: '4.3.6', hasManagement });
  provePlan(declaration, plan);
  return plan;
};
/** The differences of arguments where a broker has what one plan declares, and another is wanted. */
const adviceFor = (wanted: ReturnType<typeof planOf>, there: ReturnType<typeof planOf>) =>
  diffTopology(wanted, liveOf(there)).filter(({ code }) => code === 'QUEUE_ARGUMENTS_DIFFER');

/** What a queue was made by, and the option that adopts it. */
const ADOPTABLE: readonly [change: Partial<KindOptions>, advice: RegExp][] = [
  [{ messageTtl: '90s' }, /declare messageTtl: '90s'/],
  [{ unsafe: ['drop-head'] }, /declare unsafe: \['drop-head'\]/],
  [{ backend: 'native' }, /backend: 'native' with the same delays/],
];

for (const [change, advice] of ADOPTABLE)
  test(`a queue of ${JSON.stringify(change)} can be adopted as it is: ${advice.source}`, () => {
    const [main] = adviceFor(planOf(), planOf(change));
    assert.equal(main?.subject, 'one');
    assert.match(`${main.remedy} ${JSON.stringify(main.advice)}`, advice);
    // Following the advice leaves no difference.
    assert.deepEqual(adviceFor(planOf(change), planOf(change)), []);
  });

test('a queue of a process without management: both ways to go on are named, and one leaves no difference', () => {
  const there = planOf({ maxLength: 500 }, false);
  const [dead, main] = adviceFor(planOf({ maxLength: 500 }), there);
  assert.deepEqual([dead?.subject, main?.subject], ['one.dead', 'one']);
  assert.match(main!.remedy, /declare maxLength: 500, and in all processes no managementUrl/);
  assert.match(main!.remedy, /crashLimit: 5/);
  assert.match(dead!.remedy, /can be adopted as it is/);
  assert.deepEqual(diffTopology(planOf({ maxLength: 500 }, false), liveOf(there)), []);
  const [, back] = adviceFor(there, planOf());
  assert.match(back!.remedy, /declare a managementUrl in all processes/);
});

test('what no declaration has is told by what it would break', () => {
  const live = liveOf(planOf());
  const queues = live.queues.map((queue) =>
    queue.name === 'one'
      ? {
          ...queue,
          arguments: {
            ...queue.arguments,
            'x-dead-letter-exchange': 'theirs',
            'x-queue-leader-locator': 'balanced',
          },
        }
      : queue,
  );
  const [main] = diffTopology(planOf(), { ...live, queues });
  assert.doesNotMatch(main!.remedy, /adopted as it is/);
  assert.deepEqual(
    main!.advice?.map(({ name, declare, effect }) => [name, declare, effect]),
    [
      ['x-dead-letter-exchange', undefined, 'rejected messages would not go to the wait queues'],
      ['x-queue-leader-locator', undefined, 'the proofs do not know what it does'],
    ],
  );
});
