/** Goal: nothing is called live that was not heard of lately. Method: the pure function. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionState } from '../../src/page/connectionState.js';

const heardAt = 1_000_000;
const isOpen = true;
const lost = { reason: 'the server ended the stream', retryAt: heardAt + 34_000 };

test('live while heartbeats come; silent without one for 20 s, and that is not live', () => {
  const after = (ms: number) => connectionState({ isOpen, lost: undefined, heardAt }, heardAt + ms);
  assert.deepEqual(after(19_999), { state: 'live', text: 'live' });
  assert.deepEqual(after(20_000), { state: 'lost', text: 'silent, last seen 20 s ago' });
});

test('lost tells why, since when, and when it is tried again', () => {
  assert.deepEqual(connectionState({ isOpen, lost, heardAt }, heardAt + 30_000), {
    state: 'lost',
    text: 'the server ended the stream, last seen 30 s ago; trying again in 4 s',
  });
  assert.equal(
    connectionState({ isOpen, lost, heardAt: 0 }, heardAt + 60_000).text,
    'the server ended the stream; trying again in 0 s',
    'never heard of, and a retry that is under way',
  );
});

test('before the first word it is neither', () => {
  const state = (open: boolean) =>
    connectionState({ isOpen: open, lost: undefined, heardAt: 0 }, heardAt);
  assert.deepEqual(state(true), { state: 'off', text: 'connecting' });
  assert.deepEqual(state(false), { state: 'off', text: 'not connected' });
});
