/** Goal: a letter taken twice is kept once, whole. Method: the real store. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Binary } from 'mongodb';
import { readLetter } from '../../src/intake/readLetter.ts';
import { fakeDelivery, KIND } from '../support/fakes.ts';
import { testStore } from '../support/testStore.ts';

const [FIRST, SECOND] = [new Date('2026-01-01T12:00:00Z'), new Date('2026-01-02T12:00:00Z')];
const letterOf = (body: Buffer) => {
  const {
    kind: _,
    jobId: __,
    generation: ___,
    death: ____,
    ...letter
  } = readLetter(fakeDelivery({ body, headers: { 'death-cause': 'malformed' } }), KIND, FIRST);
  return letter;
};

test('kept once however often it comes, byte for byte', async (t) => {
  const store = await testStore(t);
  const { letters } = store;
  const body = Buffer.from([0, 0xff, 0xfe, 7]);
  await letters.keep([], FIRST);
  await letters.keep([letterOf(body)], FIRST);
  await letters.keep([letterOf(body), letterOf(Buffer.from('other'))], SECOND);
  assert.equal(await letters.count(), 2);
  const stored = await store.raw('letters').findOne({ _id: letterOf(body).id });
  assert.deepEqual(Buffer.from((stored?.['body'] as Binary).value()), body);
  assert.deepEqual(
    [stored?.['seen'], stored?.['firstSeenAt'], stored?.['lastSeenAt'], stored?.['cause']],
    [2, FIRST, SECOND, 'malformed'],
  );
});
