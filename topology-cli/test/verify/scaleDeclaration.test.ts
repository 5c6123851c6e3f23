/** Goal: scaled is the same, only quicker. Method: known shapes, then every random declaration, planned and proved. */
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
import { describeScaling, scaleDeclaration, type Turn } from '../../src/verify/scaleDeclaration.ts';

const TURNS: readonly Turn[] = ['attended', 'crash', 'expiry', 'overflow'];

const ladder = (tiers: readonly number[], change: object = {}) =>
  declareTopology({ exchange: 'jobs', kinds: { one: { key: 'k', queue: 'q', tiers, ...change } } });

const scaledTiers = (tiers: readonly number[]) =>
  scaleDeclaration(ladder(tiers), { turn: 'attended', isRealTime: false }).kinds[0]!.tiersMs;

test('the longest tier becomes 500 ms, the others keep their proportion, none below 50 ms', () => {
  assert.deepEqual(scaledTiers([5_000, 30_000, 120_000]), [50, 125, 500]);
  assert.deepEqual(scaledTiers([60_000, 120_000, 600_000]), [50, 100, 500]);
  assert.deepEqual(scaledTiers([10, 300]), [10, 300], 'short as it is: nothing is made longer');
});

test('a linear ladder stays linear to the millisecond', () => {
  assert.deepEqual(scaledTiers([5_000, 10_000, 15_000]), [167, 334, 501]);
  assert.deepEqual(scaledTiers([7_000, 14_000, 17_000]), [206, 412, 500]);
});

test('each turn scales what it needs, and says so', () => {
  const lines = (turn: Turn, isRealTime = false) =>
    describeScaling(ASSIGNMENT, scaleDeclaration(ASSIGNMENT, { turn, isRealTime }));
  const tiers = 'createWod: tiers 5s, 30s, 2m become 50ms, 125ms, 500ms';
  assert.deepEqual(lines('attended'), [tiers]);
  assert.deepEqual(lines('expiry'), [tiers, 'createWod: messageTtl 1m becomes 250ms']);
  assert.deepEqual(lines('overflow'), [tiers, 'createWod: maxLength 100 becomes 3']);
  assert.deepEqual(lines('expiry', true), [], 'in real time the waits are as declared');
  assert.deepEqual(lines('overflow', true), ['createWod: maxLength 100 becomes 3']);
});

test('a short life is kept for the turn that it is for', () => {
  const declared = ladder([1_000], { messageTtl: 200 });
  const lifeMs = (turn: Turn, isRealTime: boolean) =>
    scaleDeclaration(declared, { turn, isRealTime }).kinds[0]!.messageTtlMs;
  assert.deepEqual(
    TURNS.map((turn) => lifeMs(turn, false)),
    [10_000, 10_000, 100, 10_000],
  );
  assert.equal(lifeMs('expiry', true), 200);
});

test('room for the probes, and an end of the crash loop', () => {
  const declared = ladder([1_000], { maxLength: 2, crashLimit: 5_000 });
  const kind = (turn: Turn) => scaleDeclaration(declared, { turn, isRealTime: false }).kinds[0]!;
  assert.deepEqual([kind('attended').maxLength, kind('attended').crashLimit], [100, 5_000]);
  assert.deepEqual([kind('crash').maxLength, kind('crash').crashLimit], [2, 20]);
  assert.equal(kind('overflow').maxLength, 2);
});

test('a declared load is not held against a limit that is another', () => {
  const declared = ladder([5_000, 30_000], { load: { perSecond: 500, failureRatio: 0.2 } });
  const broker = { version: '4.3.6', hasManagement: true };
  for (const turn of TURNS) {
    const scaled = scaleDeclaration(declared, { turn, isRealTime: true });
    provePlan(scaled, planTopology(scaled, broker));
  }
});

test('what is declared without a life gets none, and the input is left alone', () => {
  const scaled = scaleDeclaration(DEFAULT, { turn: 'expiry', isRealTime: false });
  assert.equal(scaled.kinds[0]!.messageTtlMs, undefined);
  assert.deepEqual(DEFAULT.kinds[0]!.tiersMs, [5_000, 30_000, 120_000]);
});

test('any declaration: all names but those of wait queues stay, and the plan is still proved', () => {
  fc.assert(
    fc.property(
      randomDeclaration,
      randomBroker,
      fc.constantFrom(...TURNS),
      (declared, broker, turn) => {
        const scaled = scaleDeclaration(declared, { turn, isRealTime: false });
        const [before, after] = [declared, scaled].map((one) => planTopology(one, broker));
        provePlan(scaled, after!);
        const shape = ({ exchanges, queues, bindings, policies }: typeof after & object) => ({
          exchanges,
          policies: policies.map(({ name, pattern }) => ({ name, pattern })),
          queues: queues.map(({ name, role, tier }) => [role === 'wait' ? tier : name, role]),
          bindings: bindings.map((one) => [one.exchange, one.key, one.arguments]),
        });
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
