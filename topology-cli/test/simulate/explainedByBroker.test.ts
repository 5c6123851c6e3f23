/** Goal: messages do what the explanation says. Method: random outcomes, explained, and returned by a worker on a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology, type Outcome } from '@fit/topology';
import fc from 'fast-check';
import { brokerFacts } from '../../../topology/test/support/brokerFacts.ts';
import {
  type DeadLetterSummary,
  TestTopology,
} from '../../../topology/test/support/testTopology.ts';
import { explainPath } from '../../src/simulate/explainPath.ts';
import { parseOutcome } from '../../src/simulate/simulatedOutcome.ts';

const MESSAGE_COUNT = 150;
const WORDS = ['retry', 'fatal', 'discard', 'done', 'after:25', 'after:60', 'after:500'];

const OUTCOMES: Readonly<Record<string, Outcome>> = {
  retry: { type: 'retry', error: new Error('again') },
  fatal: { type: 'reject', error: new Error('never') },
  discard: { type: 'discard', reason: 'unwanted' },
  done: { type: 'done', effect: undefined },
};

function outcomeOf(word: string): Outcome {
  const [, delay] = word.split(':');
  return delay === undefined
    ? OUTCOMES[word]!
    : { type: 'retry', after: Number(delay), error: new Error('later') };
}

const { hasNativeRetry } = await brokerFacts();

for (const backend of hasNativeRetry ? (['tiers', 'native'] as const) : (['tiers'] as const))
  test(`${backend}: ${MESSAGE_COUNT} random paths happen as explained`, async (t) => {
    const declaration = declareTopology({
      exchange: 'jobs',
      kinds: { one: { key: 'job.one', queue: 'one', tiers: [25, 50, 75], backend } },
    });
    const testTopology = await TestTopology.open(t, declaration);
    const publisher = await testTopology.publisher();
    // Weighted towards a retry, and ended by one that is.
    const word = fc.oneof(
      { weight: 3, arbitrary: fc.constant('retry') },
      fc.constantFrom(...WORDS),
    );
    const paths = fc.sample(fc.array(word, { minLength: 5, maxLength: 5 }), MESSAGE_COUNT);

    const attempts = new Map<string, number[]>();
    await testTopology.worker({
      circuitBreaker: false,
      run: ({ delivery, attempt }) => {
        const id = delivery.messageId!;
        const seen = [...(attempts.get(id) ?? []), attempt.number];
        attempts.set(id, seen);
        return outcomeOf(paths[Number(id.slice(1))]![seen.length - 1]!);
      },
    });
    const explained = paths.map((words) =>
      explainPath(
        testTopology.plan,
        'one',
        words.map((one) => parseOutcome(one.replace(/^after:(\d+)$/, 'after:$1ms'))!),
      ),
    );
    await testTopology.publishAll(publisher, MESSAGE_COUNT);

    const expectedAttempts = explained.map(({ steps }) => visitsOf(steps));
    const dead = explained.filter(({ end }) => end.type === 'dead');
    const deadLetters: DeadLetterSummary[] = await testTopology.takeDeadLetters(dead.length);
    await eventually(
      () => expectedAttempts.every((wanted, i) => attempts.get(`m${i}`)?.length === wanted.length),
      { describe: () => JSON.stringify([...attempts]) },
    );
    const causes = new Map(deadLetters.map(({ id, cause }) => [id, cause]));
    for (const [index, { end }] of explained.entries()) {
      const way = `${paths[index]!.join(', ')} (m${index})`;
      assert.deepEqual(attempts.get(`m${index}`), expectedAttempts[index], way);
      const cause = end.type === 'dead' ? end.cause : undefined;
      assert.equal(causes.get(`m${index}`), cause, way);
    }
    await testTopology.expectEmpty();
  });

/** The attempts that a worker makes: a step in the main queue that has a number, each once. */
function visitsOf(steps: ReturnType<typeof explainPath>['steps']): number[] {
  const numbers = steps.flatMap(({ attempt, place }) =>
    attempt === undefined || place !== 'one' ? [] : [attempt],
  );
  return [...new Set(numbers)];
}
