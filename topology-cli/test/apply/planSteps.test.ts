/**
 * Goal: tiers are replaced without duplicating or dead-lettering a message, for any tiers and any kill.
 * Method: the steps are performed on a model of a virtual host, and after each one every key is routed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  deadLetterQueue,
  declareTopology,
  directKey,
  planTopology,
  type TopologyPlan,
  tierKey,
} from '@fit/topology';
import { type LiveTopology } from '@fit/topology/management';
import fc from 'fast-check';
import {
  DEFAULT,
  randomBroker,
  randomDeclaration,
} from '../../../topology/test/support/declarations.ts';
import { diffTopology } from '../../src/apply/diffTopology.ts';
import { type ApplyStep, describeStep, planSteps } from '../../src/apply/planSteps.ts';
import { afterRejection, EMPTY, liveOf, normalised, perform } from './brokerModel.ts';

const QUEUE = 'one';

function planOf(
  tiers: readonly number[],
  version = '4.3.6',
  keys: readonly string[] = ['job.one'],
  jitter = 0,
): TopologyPlan {
  const one = {
    key: 'job.one',
    keys,
    queue: QUEUE,
    tiers,
    tierOrder: 'any' as const,
    jitter,
    crashLimit: 20,
  };
  const declaration = declareTopology({ exchange: 'jobs', kinds: { one } });
  return planTopology(declaration, { version, hasManagement: true });
}

const settled = (plan: TopologyPlan, live: LiveTopology) =>
  diffTopology(plan, live).filter(({ fixedBy }) => fixedBy !== 'drain');

/** A whole run, or one that ends before the step of that number. */
function run(
  plan: TopologyPlan,
  live: LiveTopology,
  options: Partial<RunOptions> = {},
): LiveTopology {
  const { stepCount = Infinity, onState = () => undefined } = options;
  return planSteps(plan, live)
    .slice(0, stepCount)
    .reduce((before, step) => {
      const after = perform(before, step);
      onState(after, step);
      return after;
    }, live);
}

interface RunOptions {
  readonly stepCount: number;
  readonly onState: (live: LiveTopology, step: ApplyStep) => void;
}

test('from an empty virtual host: policies, exchanges, queues, bindings, the public one last; then no step', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, { version }) => {
      const plan = planTopology(declaration, { version, hasManagement: true });
      const steps = planSteps(plan, EMPTY);
      const types = [...new Set(steps.map(({ type }) => type))];
      assert.deepEqual(types, [
        'putPolicy',
        'declareExchange',
        'declareQueue',
        'declareNotes',
        'bind',
      ]);
      const last = steps.slice(-plan.kinds.length).map((step) => describeStep(step));
      assert.ok(last.every((line) => line.startsWith(`bind ${declaration.exchange} [`)));
      const live = run(plan, EMPTY);
      assert.deepEqual(normalised(live), normalised(liveOf(plan)));
      assert.deepEqual([diffTopology(plan, live), planSteps(plan, live)], [[], []]);
    }),
    { numRuns: 30 },
  );
});

test('a tier change, step by step', () => {
  const lines = planSteps(planOf([10_000]), liveOf(planOf([5_000, 30_000]))).map(describeStep);
  assert.deepEqual(lines, [
    'declare queue one.wait.1.10s',
    'declare exchange one.retry.switch (direct)',
    'bind one.retry.switch [job.one] -> one.wait.1.10s',
    'bind one.retry.switch [one.r0] -> one.wait.1.10s',
    'bind one.retry.switch [one.r1] -> one.dead',
    'bind one.dead-letter [] {"x-last-death-reason":"rejected","x-match":"all-with-x"} -> exchange one.retry.switch',
    'unbind one.retry [job.one] -> one.wait.1.5s',
    'bind one.retry [job.one] -> one.wait.1.10s',
    'unbind one.retry [one.r0] -> one.wait.1.5s',
    'bind one.retry [one.r0] -> one.wait.1.10s',
    'unbind one.retry [one.r1] -> one.wait.2.30s',
    'bind one.retry [one.r1] -> one.dead',
    'unbind one.retry [one.r2] -> one.dead',
    'unbind one.dead-letter [] {"x-last-death-reason":"rejected","x-match":"all-with-x"} -> exchange one.retry.switch',
    'delete exchange one.retry.switch',
  ]);
  const old = planSteps(planOf([10_000], '3.12.14'), liveOf(planOf([5_000], '3.12.14')));
  assert.ok(
    old.map(describeStep).some((line) => line.includes('"x-first-death-reason":"rejected"')),
  );
});

const tiers = fc.uniqueArray(fc.constantFrom(1_000, 5_000, 10_000, 30_000, 60_000), {
  minLength: 1,
  maxLength: 4,
});

/** A key that only patterns match, and public keys of which every one begins a first attempt. */
const MATCHED_BY_PATTERNS = 'job.two';
const keySets = fc.constantFrom(['job.one'], ['job.*'], ['job.one', '#'], ['job.#', '*.one']);

function hasPattern(keys: readonly string[]): boolean {
  return keys.some((key) => /[*#]/.test(key));
}

/** Before the step of that number. */
const kill = fc.nat({ max: 40 });

/**
 * No key ever reaches two queues, or none; and one that is neither the last of the former tiers nor of the new ones, nor
 * beyond, always reaches a wait queue.
 */
function expectRouted(live: LiveTopology, plans: readonly TopologyPlan[], last: string): void {
  for (const key of [MATCHED_BY_PATTERNS, directKey({ queue: QUEUE })]) {
    if (plans.some(({ kinds }) => key === MATCHED_BY_PATTERNS && !hasPattern(kinds[0]!.keys)))
      continue;
    const [first, ...more] = afterRejection(live, QUEUE, key);
    assert.ok(first?.startsWith(`${QUEUE}.wait.`), `${last}: ${key} reaches ${first}`);
    assert.deepEqual(more, [], `${last}: ${key} is doubled`);
  }
  const dead = deadLetterQueue(plans[0]!.kinds[0]!);
  const shortest = Math.min(...plans.map(({ kinds }) => kinds[0]!.tiersMs.length));
  for (let tier = 0; tier <= 5; tier += 1) {
    const reached = afterRejection(live, QUEUE, tierKey(plans[0]!.kinds[0]!, tier));
    assert.equal(reached.length, 1, `${last}: tier ${tier} reaches ${reached.join(' and ')}`);
    if (tier < shortest) assert.notEqual(reached[0], dead, `${last}: tier ${tier} is parked`);
  }
}

test('property: any tiers replaced by any others, killed anywhere, resumed with the same or with third tiers', () => {
  fc.assert(
    fc.property(
      fc.tuple(tiers, tiers, tiers),
      fc.tuple(kill, kill),
      keySets,
      fc.tuple(fc.constantFrom(0, 0.5), fc.constantFrom(0, 1)),
      ([a, b, c], [m, n], keys, jitters) => {
        const planFrom = (list: readonly number[], jitter = 0) =>
          planOf(list, '4.3.6', keys, jitter);
        const [first, second, third] = [
          planFrom(a, jitters[0]),
          planFrom(b, jitters[1]),
          planFrom(c),
        ];
        const plans = [first, second, third];
        const onState = (live: LiveTopology, step: ApplyStep) => {
          expectRouted(live, plans, describeStep(step));
        };
        const started = run(second, liveOf(first), { stepCount: m, onState });
        const again = run(third, started, { stepCount: n, onState });
        const end = run(second, again, { onState });
        assert.deepEqual([settled(second, end), planSteps(second, end)], [[], []]);
        for (const [tier] of second.kinds[0]!.tiersMs.entries()) {
          const reached = afterRejection(end, QUEUE, tierKey(second.kinds[0]!, tier));
          assert.equal(reached[0]?.startsWith(`${QUEUE}.wait.${tier + 1}.`), true);
        }
        assert.ok(!end.exchanges.some(({ name }) => name.endsWith('.switch')));
      },
    ),
    { numRuns: 300 },
  );
});

test('killed before each step and run again: the same end as without a kill', () => {
  const [before, after] = [liveOf(planOf([5_000, 30_000, 120_000])), planOf([10_000, 60_000])];
  const whole = normalised(run(after, before));
  const { length } = planSteps(after, before);
  for (let stepCount = 0; stepCount <= length; stepCount += 1)
    assert.deepEqual(normalised(run(after, run(after, before, { stepCount }))), whole);
});

test('the tier-change exchange is used only where a key gets another wait queue', () => {
  const plan = planOf([5_000, 30_000]);
  const live = liveOf(plan);
  const one = live.bindings.filter(({ source }) => source === 'one.retry');
  const lost = { ...live, bindings: live.bindings.filter((binding) => binding !== one[0]) };
  assert.deepEqual(planSteps(plan, lost).map(describeStep), [
    'bind one.retry [job.one] -> one.wait.1.5s',
  ]);
  const doubled = {
    ...live,
    bindings: [...live.bindings, { ...one[1]!, destination: 'one.dead' }],
  };
  assert.deepEqual(planSteps(plan, doubled).map(describeStep), [
    'unbind one.retry [one.r0] -> one.dead',
  ]);
});

test('the tiers of one kind change alone', () => {
  const { kinds } = DEFAULT;
  const two = (mail: readonly number[]) =>
    planTopology(
      declareTopology({
        exchange: 'jobs',
        kinds: {
          wod: { key: kinds[0]!.key, queue: kinds[0]!.queue, tiers: kinds[0]!.tiersMs },
          mail: { key: 'job.mail', queue: 'mail', tiers: mail },
        },
      }),
      { version: '4.3.6', hasManagement: true },
    );
  const steps = planSteps(two([9_000]), liveOf(two([5_000]))).map(describeStep);
  assert.ok(steps.length > 5 && steps.every((line) => !line.includes(kinds[0]!.queue)));
});
