/** Goal: every path of a kind has a probe, with the path that the simulation expects. Method: three declarations, written out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Declaration, declareTopology, planTopology } from '@fit/topology';
import fc from 'fast-check';
import {
  ASSIGNMENT,
  DEFAULT,
  randomBroker,
  randomDeclaration,
} from '../../../topology/test/support/declarations.ts';
import { probesFor } from '../../src/verify/probes.ts';
import { traceDurationMs, traceText } from '../../src/verify/probeTrace.ts';
import type { Scenario } from '../../src/verify/scaleDeclaration.ts';

const SCENARIOS: readonly Scenario[] = ['handled', 'crash', 'expiry', 'overflow'];

function pathsOf(declaration: Declaration): string[] {
  const plan = planTopology(declaration, { version: '4.3.6', hasManagement: true });
  const kind = plan.kinds[0]!;
  return SCENARIOS.flatMap((scenario) =>
    probesFor(plan, kind, scenario).map(
      ({ path, expected }) =>
        `${path}: ${traceText(expected, kind.queue)} at ${Math.round(traceDurationMs(expected))}`,
    ),
  );
}

const ALL_TIERS = '#1 → wait.1.5s → #2 → wait.2.30s → #3 → wait.3.2m → #4';
const HANDLED = [
  'done at once: #1 at 0',
  'rejected once, then done: #1 → wait.1.5s → #2 at 5000',
  'rejected twice, then done: #1 → wait.1.5s → #2 → wait.2.30s → #3 at 35000',
  `rejected 3 times, then done: ${ALL_TIERS} at 155000`,
  `rejected each time: ${ALL_TIERS} → dead: exhausted at 155000`,
  'asks for the longest wait: #1 → wait.3.2m → #4 at 120000',
  'fatal: #1 → dead: fatal at 0',
  'malformed: #1 → dead: malformed at 0',
  'unknown key at createWodQueue.retry: dead: unknown at 0',
  'unknown key at createWodQueue.return: dead: unknown at 0',
  'undeclared public key: returned at 0',
  'crashes once, then done: #1 (2 times) at 0',
  'crash loop: #1 (6 times) → dead: crashed at 0',
];

test('default: no time to live, and a full queue refuses', () => {
  assert.deepEqual(pathsOf(DEFAULT), [...HANDLED, 'overflow is refused: nacked at 0']);
});

test('assignment: expired and dropped messages are dead letters', () => {
  assert.deepEqual(pathsOf(ASSIGNMENT), [
    ...HANDLED,
    'expires in main: dead: expired at 60000',
    'overflow drops the oldest: dead: overflowed at 0',
  ]);
});

test('native: one key, no unknown keys of tiers, and a crash is held back like a failure', () => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'k', queue: 'q', tiers: ['5s', '10s'], backend: 'native' } },
  });
  assert.deepEqual(pathsOf(declaration), [
    'done at once: #1 at 0',
    'rejected once, then done: #1 → #2 at 5000',
    'rejected twice, then done: #1 → #2 → #3 at 15000',
    'rejected each time: #1 → #2 → #3 → dead: exhausted at 15000',
    'fatal: #1 → dead: fatal at 0',
    'malformed: #1 → dead: malformed at 0',
    'undeclared public key: returned at 0',
    'crashes once, then done: #1 → #2 at 5000',
    'crash loop: #1 → #2 → #3 → #4 → #5 → #6 → dead: crashed at 45000',
    'overflow is refused: nacked at 0',
  ]);
});

test('property: on any broker no probe of any declaration is expected to be lost', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, broker) => {
      const plan = planTopology(declaration, broker);
      for (const probe of plan.kinds.flatMap((kind) =>
        SCENARIOS.flatMap((scenario) => probesFor(plan, kind, scenario)),
      )) {
        const { published, deliveries, deadLetters } = probe.expected;
        const isReturned = probe.path === 'undeclared public key';
        assert.equal(published === 'returned', isReturned, probe.path);
        const isRefused = published === 'nacked';
        assert.ok(
          isReturned || isRefused || deliveries.length + deadLetters.length > 0,
          probe.path,
        );
        // Each delivery has exactly one outcome.
        if (deliveries.length > 0)
          assert.equal(probe.outcomes.length, deliveries.length, probe.path);
      }
    }),
    { numRuns: 200 },
  );
});

test('classic: nothing limits crashes, so the crash loop has no probe', () => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: {
      one: { key: 'k', queue: 'q', tiers: ['5s'], queueType: 'classic', unsafe: ['classic'] },
    },
  });
  const crashes = pathsOf(declaration).filter((text) => text.startsWith('crash'));
  assert.deepEqual(crashes, ['crashes once, then done: #1 (2 times) at 0']);
});
