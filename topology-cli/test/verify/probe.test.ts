/** Goal: every path of a kind has a probe, with the planner's own expectation. Method: three shapes, spelled out. */
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
import { probesOf } from '../../src/verify/probe.ts';
import type { Turn } from '../../src/verify/scaleDeclaration.ts';
import { wayMs, wayText } from '../../src/verify/way.ts';

const TURNS: readonly Turn[] = ['attended', 'crash', 'expiry', 'overflow'];

function pathsOf(declaration: Declaration): string[] {
  const plan = planTopology(declaration, { version: '4.3.6', hasManagement: true });
  const kind = plan.kinds[0]!;
  return TURNS.flatMap((turn) =>
    probesOf(plan, kind, turn).map(
      ({ path, expected }) =>
        `${path}: ${wayText(expected, kind.queue)} at ${Math.round(wayMs(expected))}`,
    ),
  );
}

const LADDER = '#1 → wait.1.5s → #2 → wait.2.30s → #3 → wait.3.2m → #4';
const ATTENDED = [
  'done at once: #1 at 0',
  'rejected once, then done: #1 → wait.1.5s → #2 at 5000',
  'rejected twice, then done: #1 → wait.1.5s → #2 → wait.2.30s → #3 at 35000',
  `rejected 3 times, then done: ${LADDER} at 155000`,
  `rejected each time: ${LADDER} → dead: exhausted at 155000`,
  'asks for the longest wait: #1 → wait.3.2m → #4 at 120000',
  'fatal: #1 → dead: fatal at 0',
  'malformed: #1 → dead: malformed at 0',
  'unknown key at createWodQueue.retry: dead: unknown at 0',
  'unknown key at createWodQueue.return: dead: unknown at 0',
  'undeclared public key: returned at 0',
  'crashes once, then done: #1 (2 times) at 0',
  'crash loop: #1 (6 times) → dead: crashed at 0',
];

test('default: no life, and a full queue refuses', () => {
  assert.deepEqual(pathsOf(DEFAULT), [...ATTENDED, 'overflow is refused: nacked at 0']);
});

test('assignment: what expires and what is dropped are letters', () => {
  assert.deepEqual(pathsOf(ASSIGNMENT), [
    ...ATTENDED,
    'expires in main: dead: expired at 60000',
    'overflow drops the oldest: dead: overflowed at 0',
  ]);
});

test('native: one key, no tiers to stray into, and a crash is held back like a failure', () => {
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

test('any declaration on any broker: no probe is planned to be lost or to stay', () => {
  fc.assert(
    fc.property(randomDeclaration, randomBroker, (declaration, broker) => {
      const plan = planTopology(declaration, broker);
      for (const probe of plan.kinds.flatMap((kind) =>
        TURNS.flatMap((turn) => probesOf(plan, kind, turn)),
      )) {
        const { published, visits, letters } = probe.expected;
        const isReturned = probe.path === 'undeclared public key';
        assert.equal(published === 'returned', isReturned, probe.path);
        const isRefused = published === 'nacked';
        assert.ok(isReturned || isRefused || visits.length + letters.length > 0, probe.path);
        // Nothing is left over, and nothing is missing: each delivery has its fate.
        if (visits.length > 0) assert.equal(probe.fates.length, visits.length, probe.path);
      }
    }),
    { numRuns: 200 },
  );
});

test('classic: nothing counts crashes, so the loop has no end and no probe', () => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: {
      one: { key: 'k', queue: 'q', tiers: ['5s'], queueType: 'classic', unsafe: ['classic'] },
    },
  });
  const crashes = pathsOf(declaration).filter((text) => text.startsWith('crash'));
  assert.deepEqual(crashes, ['crashes once, then done: #1 (2 times) at 0']);
});
