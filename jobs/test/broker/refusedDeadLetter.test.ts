/**
 * Goal: of a dead letter that the database refuses an outline is stored once, and the others are stored whole. Method: a store
 * that refuses one dead letter, in front of the real one; real broker, real database.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatementRefused } from '@fit/jobs';
import { DeadLetterStore } from '@fit/jobs/store';
import { eventually } from '@fit/stack/testing';
import { JobPipeline } from '../support/jobPipeline.ts';

class RefusingStore extends DeadLetterStore {
  override async store(...[deadLetters, now]: Parameters<DeadLetterStore['store']>) {
    if (deadLetters.some(({ body }) => body.includes('poison')))
      throw new StatementRefused(new Error('the document is refused'));
    return await super.store(deadLetters, now);
  }
}

test('of a refused dead letter an outline is stored, and the others are stored whole', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  for (let number = 0; number < 20; number += 1)
    await publisher.publish({
      exchange: 'trivial.park',
      key: 'job.trivial',
      id: `dead-letter-${number}`,
      body: Buffer.from(number === 7 ? 'poison' : `body ${number}`),
      headers: { 'death-cause': 'malformed' },
    });
  const { store } = pipeline;
  await pipeline.startRecorder({
    stores: { ...store, deadLetters: new RefusingStore(store.database) },
  });
  await eventually(async () => (await pipeline.store.raw('deadLetters').countDocuments()) === 20, {
    describe: async () =>
      `${await pipeline.store.raw('deadLetters').countDocuments()} dead letters of 20; ${JSON.stringify(pipeline.events)}`,
  });
  await eventually(async () => (await pipeline.readyCount('trivial.dead')) === 0, {
    describe: () => 'dead letters are left',
  });
  const refused = await pipeline.store.raw('deadLetters').findOne({ messageId: 'dead-letter-7' });
  assert.match(String(refused?.['reason']), /^refused by the database/);
  assert.deepEqual([refused?.['bodyBytes'], refused?.['seen']], [6, 1]);
  assert.deepEqual(pipeline.eventsOf('storeDown'), []);
  assert.equal(pipeline.eventsOf('stageFailed').length, 1);
});
