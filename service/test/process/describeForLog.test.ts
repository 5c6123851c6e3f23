/** Goal: a logged error says what happened and holds no documents. Method: errors as drivers throw them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeForLog } from '../../src/process/describeForLog.ts';

test('class, code and cause are logged, the documents of a bulk write are not', () => {
  const cause = Object.assign(new RangeError('deep'), { code: 7 });
  const error = Object.assign(new Error('bulk write failed', { cause }), {
    name: 'MongoBulkWriteError',
    code: 11_000,
    writeErrors: [{ err: { op: { payload: { secret: 'of a user' } } } }],
  });
  const logged = describeForLog(error);
  assert.deepEqual(
    [logged.type, logged.message, logged.code],
    ['MongoBulkWriteError', 'bulk write failed', 11_000],
  );
  assert.deepEqual(
    [logged.cause?.type, logged.cause?.message, logged.cause?.code],
    ['RangeError', 'deep', 7],
  );
  assert.doesNotMatch(JSON.stringify(logged), /of a user/);
});

test('a long message is cut in the stack too', () => {
  const logged = describeForLog(new Error(`x${'$&'.repeat(5_000)}`));
  assert.equal(logged.message.length, 500);
  assert.ok((logged.stack?.length ?? 0) <= 4_000);
  assert.ok(!logged.stack?.includes('$&'.repeat(300)));
});

test('a cyclic chain of causes ends', () => {
  const error = new Error('ring');
  error.cause = error;
  assert.match(JSON.stringify(describeForLog(error)), /ring/);
});

for (const thrown of [undefined, null, 7, { payload: 1 }, 'text'])
  test(`${JSON.stringify(thrown)} thrown is described by its type`, () => {
    assert.equal(describeForLog(thrown).type, typeof thrown);
    assert.doesNotMatch(JSON.stringify(describeForLog(thrown)), /payload/);
  });
