/** Goal: the path of a message is explained with its times and its end. Method: known paths, then any sequence of outcomes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declareTopology, planTopology } from '@fit/topology';
import fc from 'fast-check';
import {
  ASSIGNMENT,
  DEFAULT,
  randomBroker,
  randomDeclaration,
} from '../../../topology/test/support/declarations.ts';
import { endText, explainPath, explanationText } from '../../src/simulate/explainPath.ts';
import { OUTCOME_WORDS, parseOutcome } from '../../src/simulate/simulatedOutcome.ts';

const BROKER = { version: '4.3.6', hasManagement: true };
const PLAN = planTopology(DEFAULT, BROKER);

const fates = (words: string) => words.split(',').map((word) => parseOutcome(word)!);

function endOf(words: string, plan = PLAN): string {
  const { end, totalMs } = explainPath(plan, plan.kinds[0]!.kind, fates(words));
  return `${endText(end)} at ${totalMs}`;
}

test('each way to end is explained with its time', () => {
  const dead = (cause: string) => `dead: ${cause}, in createWodQueue.dead`;
  assert.equal(endOf('done'), 'done at 0');
  assert.equal(endOf('reject,crash,done'), 'done at 5000');
  assert.equal(endOf('retry,retry,retry,retry'), `${dead('exhausted')} at 155000`);
  assert.equal(endOf('retry,fatal'), `${dead('fatal')} at 5000`);
  assert.equal(endOf('crash,crash,crash,crash,crash,crash'), `${dead('crashed')} at 0`);
  assert.equal(endOf('discard'), 'discarded: acknowledged without an effect at 0');
  assert.equal(
    endOf('retry'),
    'waiting: in createWodQueue for a worker, attempt 2 at 5000',
    'the outcomes do not reach an end',
  );
});

test('retry after goes to the nearest tier that is long enough, and spends those in between', () => {
  assert.equal(endOf('after:100s,retry'), 'dead: exhausted, in createWodQueue.dead at 120000');
});

test('assignment: messages expire and overflow; a plan in which neither can happen refuses the outcome', () => {
  const plan = planTopology(ASSIGNMENT, BROKER);
  assert.equal(endOf('expire', plan), 'dead: expired, in createWodQueue.dead at 60000');
  assert.equal(endOf('retry,overflow', plan), 'dead: overflowed, in createWodQueue.dead at 5000');
  assert.throws(() => endOf('expire'), /no time to live/);
  assert.throws(() => endOf('overflow'), /no drop-head/);
});

test('native: the queue holds a failed message back, longer each time', () => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: ['5s', '10s'], backend: 'native' } },
  });
  const plan = planTopology(declaration, BROKER);
  assert.equal(endOf('retry,retry,retry', plan), 'dead: exhausted, in one.dead at 15000');
});

test('a plan without its return binding loses the message', () => {
  const broken = {
    ...PLAN,
    bindings: PLAN.bindings.filter(({ exchange }) => exchange !== 'createWodQueue.return'),
    exchanges: PLAN.exchanges.map((one) => ({ ...one, alternate: undefined })),
  };
  assert.match(endOf('retry', broken), /^lost: /);
});

test('as text: one line for each step, and how many outcomes were not used', () => {
  const text = explanationText(explainPath(PLAN, 'createWod', fates('retry,done,done')));
  assert.match(text, /^createWod on RabbitMQ 4\.3\.6, retried by tiers\n/);
  assert.match(text, /5s {2}createWodQueue +attempt 2 +done\n/);
  assert.match(text, /not used: the last 1 of the outcomes$/);
});

test('each outcome word is parsed, other words are not', () => {
  for (const word of OUTCOME_WORDS) assert.ok(parseOutcome(word), word);
  for (const word of ['', 'later', 'after:', 'after:-1s', 'after:soon', 'constructor'])
    assert.equal(parseOutcome(word), undefined, word);
});

test('property: after any outcomes a message is done, dead or waiting for a worker, and never lost', () => {
  const words = fc.array(fc.constantFrom('retry', 'crash', 'fatal', 'done', 'discard', 'after:7s'));
  fc.assert(
    fc.property(randomDeclaration, randomBroker, words, (declaration, broker, sequence) => {
      const plan = planTopology(declaration, broker);
      for (const { kind } of plan.kinds) {
        const { end, steps } = explainPath(plan, kind, fates(sequence.join(',') || 'retry'));
        assert.notEqual(end.type, 'lost', JSON.stringify(steps));
      }
    }),
    { numRuns: 100 },
  );
});
