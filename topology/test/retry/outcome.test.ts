/** Goal: a throw is mapped in one place. Method: errors, classes that are not retryable, and things that are no errors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorClass, outcomeOfThrow } from '@fit/topology';

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
