/** Goal: both services read what the coach stored, as it was made, and it is small. Method: workouts go through the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WODS_COLLECTION, Wod, type WodDocument } from '@fit/contract';
import { generateWorkout } from '@fit/workout';
import Value from 'typebox/value';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { UserStore } from '../../../monolith/src/store/userStore.ts';
import { type Sample, sampleUser } from '../../../workout/test/sampleUser.ts';
import { createWodHandler } from '../../src/handlers/createWodHandler.ts';
import { WodStore } from '../../src/store/wodStore.ts';

const SAMPLE_COUNT = 200;

/** PostgreSQL compresses documents above 1,950 bytes, which costs more than storing them. */
const DOCUMENT_BYTES_MAX = 800;
const MEDIAN_BYTES_MAX = 600;

test('200 workouts of all levels are read by both services as they were generated', async (t) => {
  const store = await testStore(t);
  const wods = new WodStore(store.database);
  const users = new UserStore(store.database);
  const handler = createWodHandler({ wods, failureRate: () => 0 });
  const samples = Array.from({ length: SAMPLE_COUNT }, (_, seed) => sampleUser(seed));
  const documents: WodDocument[] = [];
  for (const { user, date } of samples) {
    const payload = {
      userId: user.userId,
      date,
      level: user.level,
      equipment: [...user.equipment],
      exclusions: [...(user.exclusions ?? [])],
    };
    const outcome = await handler.run({
      id: `createWod:${user.userId}:${date}`,
      kind: 'createWod',
      generation: 1,
      attempt: 1,
      payload,
      signal: t.signal,
    });
    assert.equal(outcome.type, 'done');
    documents.push((outcome as { effect: WodDocument }).effect);
  }
  await wods.storeAll(documents);

  const readOf = ({ user: { userId }, date }: Sample) =>
    Promise.all([wods.find(userId, date), users.findWod(userId, date)]);
  const read = await Promise.all(samples.map(readOf));
  for (const [index, { user, date }] of samples.entries()) {
    const made = generateWorkout(user, date);
    assert.deepEqual([...Value.Errors(Wod, made)], []);
    assert.deepEqual(read[index], [made, made]);
  }
  const stored = await store
    .raw(WODS_COLLECTION)
    .aggregate<{ bytes: number }>([{ $project: { bytes: { $bsonSize: '$$ROOT' } } }])
    .toArray();
  const sizes = stored.map(({ bytes }) => bytes).sort((a, b) => a - b);
  assert.equal(sizes.length, SAMPLE_COUNT);
  assert.ok((sizes.at(-1) ?? Infinity) <= DOCUMENT_BYTES_MAX, `largest ${sizes.at(-1)} bytes`);
  const median = sizes[SAMPLE_COUNT / 2] ?? Infinity;
  assert.ok(median <= MEDIAN_BYTES_MAX, `median ${median} bytes`);
});

test('a workout of a newer version is refused by both services with its version and the remedy', async (t) => {
  const store = await testStore(t);
  const { user, date } = sampleUser(1);
  const _id = `${user.userId}:${date}`;
  await store.raw(WODS_COLLECTION).insertOne({ _id, version: 99 });
  const refusal = { name: 'UnreadableWorkout', message: /version 99 .* Deploy a release/ };
  await assert.rejects(new WodStore(store.database).find(user.userId, date), refusal);
  await assert.rejects(new UserStore(store.database).findWod(user.userId, date), refusal);
});
