/** Goal: the way of a message is told with its times and its end. Method: known ways, then any sequence by property. */
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
import { explain } from '../../src/explain/explain.ts';
import { endingText, explanationText } from '../../src/explain/explanationText.ts';
import { FATE_WORDS, readFate } from '../../src/simulate/fate.ts';

const BROKER = { version: '4.3.6', hasManagement: true };
const PLAN = planTopology(DEFAULT, BROKER);

const fates = (words: string) => words.split(',').map((word) => readFate(word)!);

function told(words: string, plan = PLAN): string {
  const { ending, totalMs } = explain(plan, plan.kinds[0]!.kind, fates(words));
  return `${endingText(ending)} at ${totalMs}`;
}

test('each end is told with its time', () => {
  const dead = (cause: string) => `dead: ${cause}, in createWodQueue.dead`;
  assert.equal(told('done'), 'done at 0');
  assert.equal(told('reject,crash,done'), 'done at 5000');
  assert.equal(told('retry,retry,retry,retry'), `${dead('exhausted')} at 155000`);
  assert.equal(told('retry,fatal'), `${dead('fatal')} at 5000`);
  assert.equal(told('crash,crash,crash,crash,crash,crash'), `${dead('crashed')} at 0`);
  assert.equal(told('discard'), 'discarded: acknowledged without an effect at 0');
  assert.equal(
    told('retry'),
    'waiting: in createWodQueue for a worker, attempt 2 at 5000',
    'not told to the end',
  );
});

test('retry after goes to the nearest tier that is long enough, and spends those in between', () => {
  assert.equal(told('after:100s,retry'), 'dead: exhausted, in createWodQueue.dead at 120000');
});

test('assignment: expired and overflowed; where neither can be, it is said', () => {
  const plan = planTopology(ASSIGNMENT, BROKER);
  assert.equal(told('expire', plan), 'dead: expired, in createWodQueue.dead at 60000');
  assert.equal(told('retry,overflow', plan), 'dead: overflowed, in createWodQueue.dead at 5000');
  assert.throws(() => told('expire'), /no time to live/);
  assert.throws(() => told('overflow'), /no drop-head/);
});

test('native: the queue holds it back, a little longer each time', () => {
  const declaration = declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers: ['5s', '10s'], backend: 'native' } },
  });
  const plan = planTopology(declaration, BROKER);
  assert.equal(told('retry,retry,retry', plan), 'dead: exhausted, in one.dead at 15000');
});

test('a plan without its return binding is seen: the message is lost', () => {
  const broken = {
    ...PLAN,
    bindings: PLAN.bindings.filter(({ exchange }) => exchange !== 'createWodQueue.return'),
    exchanges: PLAN.exchanges.map((one) => ({ ...one, alternate: undefined })),
  };
  assert.match(told('retry', broken), /^lost: /);
});

test('as text: a line for each step, and what was left over', () => {
  const text = explanationText(explain(PLAN, 'createWod', fates('retry,done,done')));
  assert.match(text, /^createWod on RabbitMQ 4\.3\.6, retried by tiers\n/);
  assert.match(text, /5s {2}createWodQueue +attempt 2 +done\n/);
  assert.match(text, /not used: the last 1 of the outcomes$/);
});

test('words: each is understood, others are not', () => {
  for (const word of FATE_WORDS) assert.ok(readFate(word), word);
  for (const word of ['', 'later', 'after:', 'after:-1s', 'after:soon', 'constructor'])
    assert.equal(readFate(word), undefined, word);
});

test('property: whatever happens to it, it is done, dead or waiting for a worker; never lost', () => {
  const words = fc.array(fc.constantFrom('retry', 'crash', 'fatal', 'done', 'discard', 'after:7s'));
  fc.assert(
    fc.property(randomDeclaration, randomBroker, words, (declaration, broker, sequence) => {
      const plan = planTopology(declaration, broker);
      for (const { kind } of plan.kinds) {
        const { ending, steps } = explain(plan, kind, fates(sequence.join(',') || 'retry'));
        assert.notEqual(ending.type, 'lost', JSON.stringify(steps));
      }
    }),
    { numRuns: 100 },
  );
});
