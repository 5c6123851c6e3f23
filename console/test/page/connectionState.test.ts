/** Goal: a connection is live only while data arrives. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionState } from '../../src/page/connectionState.js';

const activeAt = 1_000_000;
const isOpen = true;
const lost = { reason: 'the server ended the stream', retryAt: activeAt + 34_000 };

test('a connection is live while heartbeats arrive, and lost after 20 s without data', () => {
  const after = (ms: number) =>
    connectionState({ isOpen, lost: undefined, activeAt }, activeAt + ms);
  assert.deepEqual(after(19_999), { state: 'live', text: 'live' });
  assert.deepEqual(after(20_000), { state: 'lost', text: 'no data, last seen 20 s ago' });
});

test('a lost connection has a reason, the age of the last data, and the time of the next attempt', () => {
  assert.deepEqual(connectionState({ isOpen, lost, activeAt }, activeAt + 30_000), {
    state: 'lost',
    text: 'the server ended the stream, last seen 30 s ago; trying again in 4 s',
  });
  assert.equal(
    connectionState({ isOpen, lost, activeAt: 0 }, activeAt + 60_000).text,
    'the server ended the stream; trying again in 0 s',
    'no data arrived yet, and the next attempt is under way',
  );
});

test('before the first data a connection is neither live nor lost', () => {
  const state = (open: boolean) =>
    connectionState({ isOpen: open, lost: undefined, activeAt: 0 }, activeAt);
  assert.deepEqual(state(true), { state: 'off', text: 'connecting' });
  assert.deepEqual(state(false), { state: 'off', text: 'not connected' });
});
