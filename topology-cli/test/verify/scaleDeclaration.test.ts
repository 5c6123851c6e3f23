/** Goal: a scaled declaration has the same topology with shorter waits. Method: known and random declarations, planned and proved. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declareTopology, isLinear, planTopology, provePlan } from '@fit/topology';
import fc from 'fast-check';
import {
  ASSIGNMENT,
  DEFAULT,
  randomBroker,
  randomDeclaration,
} from '../../../topology/test/support/declarations.ts';
import {
  describeScaling,
  type Scenario,
  scaleDeclaration,
} from '../../src/verify/scaleDeclaration.ts';

const SCENARIOS: readonly Scenario[] = ['handled', 'crash', 'expiry', 'overflow'];

const declarationWith = (tiers: readonly number[], change: object = {}) =>
  declareTopology({ exchange: 'jobs', kinds: { one: { key: 'k', queue: 'q', tiers, ...change } } });

const scaledTiers = (tiers: readonly number[]) =>
  scaleDeclaration(declarationWith(tiers), { scenario: 'handled', isRealTime: false }).kinds[0]!
    .tiersMs;

test('the longest tier becomes 500 ms, the others keep their proportion, none becomes shorter than 50 ms', () => {
  assert.deepEqual(scaledTiers([5_000, 30_000, 120_000]), [50, 125, 500]);
  assert.deepEqual(scaledTiers([60_000, 120_000, 600_000]), [50, 100, 500]);
  assert.deepEqual(scaledTiers([10, 300]), [10, 300], 'short as it is: nothing is made longer');
});

test('linear tiers stay linear to the millisecond', () => {
  assert.deepEqual(scaledTiers([5_000, 10_000, 15_000]), [167, 334, 501]);
  assert.deepEqual(scaledTiers([7_000, 14_000, 17_000]), [206, 412, 500]);
});

test('each scenario scales what it needs, and describes it', () => {
  const lines = (scenario: Scenario, isRealTime = false) =>
    describeScaling(ASSIGNMENT, scaleDeclaration(ASSIGNMENT, { scenario, isRealTime }));
  const tiers = 'createWod: tiers 5s, 30s, 2m become 50ms, 125ms, 500ms';
  assert.deepEqual(lines('handled'), [tiers]);
  assert.deepEqual(lines('expiry'), [tiers, 'createWod: messageTtl 1m becomes 250ms']);
  assert.deepEqual(lines('overflow'), [tiers, 'createWod: maxLength 100 becomes 3']);
  assert.deepEqual(lines('expiry', true), [], 'in real time the waits are as declared');
  assert.deepEqual(lines('overflow', true), ['createWod: maxLength 100 becomes 3']);
});

test('a time to live is scaled in the scenario expiry, and long enough in the others', () => {
  const declared = declarationWith([1_000], { messageTtl: 200 });
  const lifeMs = (scenario: Scenario, isRealTime: boolean) =>
    scaleDeclaration(declared, { scenario, isRealTime }).kinds[0]!.messageTtlMs;
  assert.deepEqual(
    SCENARIOS.map((scenario) => lifeMs(scenario, false)),
    [10_000, 10_000, 100, 10_000],
  );
  assert.equal(lifeMs('expiry', true), 200);
});

test('the main queue has capacity for all probes, and the crash loop ends', () => {
  const declared = declarationWith([1_000], { maxLength: 2, crashLimit: 5_000 });
  const kind = (scenario: Scenario) =>
    scaleDeclaration(declared, { scenario, isRealTime: false }).kinds[0]!;
  assert.deepEqual([kind('handled').maxLength, kind('handled').crashLimit], [100, 5_000]);
  assert.deepEqual([kind('crash').maxLength, kind('crash').crashLimit], [2, 20]);
  assert.equal(kind('overflow').maxLength, 2);
});

test('a declared load is not compared with a scaled limit', () => {
  const declared = declarationWith([5_000, 30_000], {
    load: { perSecond: 500, failureRatio: 0.2 },
  });
  const broker = { version: '4.3.6', hasManagement: true };
  for (const scenario of SCENARIOS) {
    const scaled = scaleDeclaration(declared, { scenario, isRealTime: true });
    provePlan(scaled, planTopology(scaled, broker));
  }
});

test('a kind without a time to live gets none, and the input is not changed', () => {
  const scaled = scaleDeclaration(DEFAULT, { scenario: 'expiry', isRealTime: false });
  assert.equal(scaled.kinds[0]!.messageTtlMs, undefined);
  assert.deepEqual(DEFAULT.kinds[0]!.tiersMs, [5_000, 30_000, 120_000]);
});

test('property: only wait queues change names, and the scaled plan is proved', () => {
  fc.assert(
    fc.property(
      randomDeclaration,
      randomBroker,
      fc.constantFrom(...SCENARIOS),
      (declared, broker, scenario) => {
        const scaled = scaleDeclaration(declared, { scenario, isRealTime: false });
        const [before, after] = [declared, scaled].map((one) => planTopology(one, broker));
        provePlan(scaled, after!);
        const shape = ({ exchanges, queues, bindings, policies }: typeof after & object) => {
          const waits = new Set(
            queues.filter(({ role }) => role === 'wait').map(({ name }) => name),
          );
          // With jitter an exchange has the name of its wait queue.
          const named = (name: string) => (waits.has(name) ? 'wait' : name);
          return {
            exchanges: exchanges.map((one) => ({ ...one, name: named(one.name) })),
            policies: policies.map(({ name, pattern }) => ({ name, pattern })),
            queues: queues.map(({ name, role, tier }) => [role === 'wait' ? tier : name, role]),
            bindings: bindings.map((one) => [named(one.exchange), one.key, one.arguments]),
          };
        };
        assert.deepEqual(shape(after!), shape(before!));
        for (const [index, { tiersMs }] of scaled.kinds.entries()) {
          assert.ok(
            tiersMs.every((tierMs) => tierMs >= 1 && tierMs <= 510),
            tiersMs.join(),
          );
          assert.equal(isLinear(tiersMs) || !isLinear(declared.kinds[index]!.tiersMs), true);
        }
      },
    ),
    { numRuns: 300 },
  );
});
