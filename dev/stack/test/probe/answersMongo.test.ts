/**
 * Goal: the hand-made wire messages are right. Method: bytes written down from the BSON and OP_MSG
 * pages.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandMessage, isSuccess } from '../../src/probe/answersMongo.ts';

test('a command is one OP_MSG with a body section', () => {
  const message = commandMessage('hello');
  assert.equal(message.readInt32LE(0), message.length);
  assert.equal(message.readInt32LE(12), 2013);
  assert.equal(message[20], 0);
  assert.equal(message.readInt32LE(21), message.length - 21);
});

test('success is ok: 1 and nothing else', () => {
  const withOk = (value: number): Buffer => {
    const double = Buffer.alloc(8);
    double.writeDoubleLE(value);
    return Buffer.concat([Buffer.from('\x0c\0\0\0\x01ok\0', 'latin1'), double, Buffer.from([0])]);
  };
  assert.equal(isSuccess(withOk(1)), true);
  assert.equal(isSuccess(withOk(0)), false);
  assert.equal(isSuccess(Buffer.from([5, 0, 0, 0, 0])), false);
});
