/** Goal: a throw is mapped in one place. Method: errors, classes that are not retryable, and things that are no errors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorClass, type Outcome, outcomeOfThrow } from '@fit/topology';
import { outcomeOfResult } from '../../src/retry/outcome.ts';

const KIND = { nonRetryable: ['RangeError', 'NonError'] };

test('an error is a retry, one of a declared class a reject', () => {
  const [plain, declared] = [new Error('a'), new RangeError('b')];
  assert.deepEqual(outcomeOfThrow(KIND, plain), { type: 'retry', error: plain });
  assert.deepEqual(outcomeOfThrow(KIND, declared), { type: 'reject', error: declared });
});

test('what is no error has a class, too', () => {
  for (const thrown of ['text', undefined, null, 7, {}]) {
    assert.equal(errorClass(thrown), 'NonError');
    assert.equal(outcomeOfThrow(KIND, thrown).type, 'reject');
  }
});

test('nothing returned is done, an outcome is itself, with and without an effect', () => {
  assert.deepEqual(outcomeOfResult(undefined), { type: 'done' });
  const outcomes: Outcome[] = [
    { type: 'done' },
    { type: 'done', effect: 'e' },
    { type: 'retry', error: new Error('a') },
    { type: 'retry', after: 0, error: undefined },
    { type: 'retry', after: '5s' },
    { type: 'reject', error: 'b' },
    { type: 'discard', reason: 'c' },
  ];
  for (const outcome of outcomes) assert.equal(outcomeOfResult(outcome), outcome);
});

test('anything else is an error that shows what was returned and what may be', () => {
  const unprintable = {
    type: 'dnoe',
    toJSON: () => {
      throw new Error('no text');
    },
  };
  for (const answer of [true, null, 7, 'done', [], {}, { type: 'dnoe' }, unprintable, () => 'done'])
    assert.throws(
      () => outcomeOfResult(answer as unknown as Outcome),
      (error: Error) =>
        error.name === 'InvalidOutcome' &&
        /^the handler returned .*, which is no outcome; return nothing for done, or/s.test(
          error.message,
        ),
    );
  const refusal = (answer: object, pattern: RegExp) => {
    assert.throws(() => outcomeOfResult(answer as Outcome), pattern);
  };
  for (const after of ['soon', {}, -1, Number.NaN])
    refusal({ type: 'retry', after }, /whose after must be a duration/);
  refusal({ type: 'discard' }, /which needs reason: a text/);
  refusal({ type: 'x'.repeat(9_999) }, /^.{0,600}$/s);
});
