/** Goal: a dead letter that is recorded twice is stored once, whole. Method: the real database. */
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

function deadLetterOf(body: Buffer): DeadLetter {
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

test('a dead letter that arrives twice is stored once, byte for byte', async (t) => {
  const store = await testStore(t);
  const { deadLetters } = store;
  const body = Buffer.from([0, 0xff, 0xfe, 7]);
  await deadLetters.store([], FIRST);
  await deadLetters.store([deadLetterOf(body)], FIRST);
  await deadLetters.store([deadLetterOf(body), deadLetterOf(Buffer.from('other'))], SECOND);
  assert.equal(await store.raw('deadLetters').countDocuments(), 2);
  const stored = await store.raw('deadLetters').findOne({ _id: deadLetterOf(body).id });
  assert.deepEqual(Buffer.from((stored?.['body'] as Binary).value()), body);
  assert.deepEqual(
    [stored?.['seen'], stored?.['firstSeenAt'], stored?.['lastSeenAt'], stored?.['cause']],
    [2, FIRST, SECOND, 'malformed'],
  );
});

test('of a dead letter that is too large the first bytes, the size and the hash are stored', async (t) => {
  const store = await testStore(t);
  const whole = Buffer.alloc(DEAD_LETTER_BODY_LIMIT_BYTES, 'a');
  const large = Buffer.alloc(DEAD_LETTER_BODY_LIMIT_BYTES + 1, 'b');
  await store.deadLetters.store([deadLetterOf(whole), deadLetterOf(large)], FIRST);
  const stored = async (body: Buffer) =>
    await store.raw('deadLetters').findOne({ _id: deadLetterOf(body).id });
  const complete = await stored(whole);
  assert.deepEqual(Buffer.from((complete?.['body'] as Binary).value()), whole);
  assert.equal(complete?.['bodyHash'], undefined);
  const cut = await stored(large);
  assert.deepEqual(
    Buffer.from((cut?.['body'] as Binary).value()),
    large.subarray(0, DEAD_LETTER_HEAD_BYTES),
  );
  assert.equal(cut?.['bodyBytes'], large.length);
  assert.equal(cut['bodyHash'], createHash('sha256').update(large).digest('hex'));
});
