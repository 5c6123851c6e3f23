/** Goal: an error says what happened and nothing that it happened to. Method: errors as drivers throw them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeForLog } from '../../src/process/describeForLog.ts';

test('class, code and cause are told, the documents of a bulk write are not', () => {
  const cause = Object.assign(new RangeError('deep'), { code: 7 });
  const error = Object.assign(new Error('bulk write failed', { cause }), {
    name: 'MongoBulkWriteError',
    code: 11_000,
    writeErrors: [{ err: { op: { payload: { secret: 'of a member' } } } }],
  });
  const told = describeForLog(error);
  assert.deepEqual(
    [told.type, told.message, told.code],
    ['MongoBulkWriteError', 'bulk write failed', 11_000],
  );
  assert.deepEqual(
    [told.cause?.type, told.cause?.message, told.cause?.code],
    ['RangeError', 'deep', 7],
  );
  assert.doesNotMatch(JSON.stringify(told), /member/);
});

test('a long message is cut in the stack too', () => {
  const told = describeForLog(new Error(`x${'$&'.repeat(5_000)}`));
  assert.equal(told.message.length, 500);
  assert.ok((told.stack?.length ?? 0) <= 4_000);
  assert.ok(!told.stack?.includes('$&'.repeat(300)));
});

test('causes that go round in a ring end', () => {
  const error = new Error('ring');
  error.cause = error;
  assert.match(JSON.stringify(describeForLog(error)), /ring/);
});

for (const thrown of [undefined, null, 7, { payload: 1 }, 'text'])
  test(`${JSON.stringify(thrown)} thrown is told by its type`, () => {
    assert.equal(describeForLog(thrown).type, typeof thrown);
    assert.doesNotMatch(JSON.stringify(describeForLog(thrown)), /payload/);
  });
