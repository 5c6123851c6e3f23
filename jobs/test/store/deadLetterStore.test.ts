/** Goal: a letter taken twice is kept once, whole. Method: the real store. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Binary } from 'mongodb';
import {
  DEAD_LETTER_BODY_LIMIT_BYTES,
  DEAD_LETTER_HEAD_BYTES,
  readDeadLetter,
} from '../../src/dead-letters/readDeadLetter.ts';
import type { DeadLetter } from '../../src/store/deadLetterStore.ts';
import { fakeDelivery, KIND } from '../support/fakes.ts';
import { testStore } from '../support/testStore.ts';

const [FIRST, SECOND] = [new Date('2026-01-01T12:00:00Z'), new Date('2026-01-02T12:00:00Z')];
function letterOf(body: Buffer): DeadLetter {
  const headers = { 'death-cause': 'malformed' };
  const read = readDeadLetter(fakeDelivery({ body, headers }), KIND, FIRST);
  return {
    id: read.id,
    cause: read.cause,
    reason: read.reason,
    messageId: read.messageId,
    routingKey: read.routingKey,
    body: read.body,
    bodyBytes: read.bodyBytes,
    ...(read.bodyHash === undefined ? {} : { bodyHash: read.bodyHash }),
    headers: read.headers,
  };
}

test('kept once however often it comes, byte for byte', async (t) => {
  const store = await testStore(t);
  const { deadLetters: letters } = store;
  const body = Buffer.from([0, 0xff, 0xfe, 7]);
  await letters.store([], FIRST);
  await letters.store([letterOf(body)], FIRST);
  await letters.store([letterOf(body), letterOf(Buffer.from('other'))], SECOND);
  assert.equal(await letters.count(), 2);
  const stored = await store.raw('deadLetters').findOne({ _id: letterOf(body).id });
  assert.deepEqual(Buffer.from((stored?.['body'] as Binary).value()), body);
  assert.deepEqual(
    [stored?.['seen'], stored?.['firstSeenAt'], stored?.['lastSeenAt'], stored?.['cause']],
    [2, FIRST, SECOND, 'malformed'],
  );
});

test('of a letter that is too large the head, the size and the hash are kept', async (t) => {
  const store = await testStore(t);
  const whole = Buffer.alloc(DEAD_LETTER_BODY_LIMIT_BYTES, 'a');
  const large = Buffer.alloc(DEAD_LETTER_BODY_LIMIT_BYTES + 1, 'b');
  await store.deadLetters.store([letterOf(whole), letterOf(large)], FIRST);
  const stored = async (body: Buffer) =>
    await store.raw('deadLetters').findOne({ _id: letterOf(body).id });
  const kept = await stored(whole);
  assert.deepEqual(Buffer.from((kept?.['body'] as Binary).value()), whole);
  assert.equal(kept?.['bodyHash'], undefined);
  const cut = await stored(large);
  assert.deepEqual(
    Buffer.from((cut?.['body'] as Binary).value()),
    large.subarray(0, DEAD_LETTER_HEAD_BYTES),
  );
  assert.equal(cut?.['bodyBytes'], large.length);
  assert.equal(cut['bodyHash'], createHash('sha256').update(large).digest('hex'));
});
