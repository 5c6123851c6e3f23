/**
 * Goal: one letter that the database refuses is kept in outline, once, and stops no other. Method: a store of letters that
 * refuses one of them, as a database does, in front of the real one; real broker, real database.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDeadLetterRecorder, StatementRefused } from '@fit/jobs';
import { DeadLetterStore } from '@fit/jobs/store';
import { eventually } from '@fit/stack/testing';
import { JobPipeline } from '../support/jobPipeline.ts';

class RefusingStore extends DeadLetterStore {
  override async store(...[letters, now]: Parameters<DeadLetterStore['store']>) {
    if (letters.some(({ body }) => body.includes('poison')))
      throw new StatementRefused(new Error('the document is refused'));
    return await super.store(letters, now);
  }
}

test('a refused letter is kept in outline, and the others are kept whole', async (t) => {
  const pipeline = await JobPipeline.open(t);
  const publisher = await pipeline.publisher();
  for (let number = 0; number < 20; number += 1)
    await publisher.publish({
      exchange: 'trivial.park',
      key: 'job.trivial',
      id: `letter-${number}`,
      body: Buffer.from(number === 7 ? 'poison' : `body ${number}`),
      headers: { 'death-cause': 'malformed' },
    });
  const recorder = await openDeadLetterRecorder({
    amqpUrl: pipeline.amqpUrl,
    managementUrl: pipeline.managementUrl,
    declaration: pipeline.declaration,
    kind: pipeline.declaration.kinds[0]!,
    store: pipeline.store.jobs,
    deadLetters: new RefusingStore(pipeline.store.database),
    onEvent: (event) => pipeline.events.push(event),
    onSession: () => undefined,
  });
  t.after(() => recorder.close());
  await eventually(async () => (await pipeline.store.deadLetters.count()) === 20, {
    describe: async () =>
      `${await pipeline.store.deadLetters.count()} letters of 20; ${JSON.stringify(pipeline.events)}`,
  });
  await eventually(async () => (await pipeline.readyCount('trivial.dead')) === 0, {
    describe: () => 'letters are left',
  });
  const refused = await pipeline.store.raw('deadLetters').findOne({ messageId: 'letter-7' });
  assert.match(String(refused?.['reason']), /^refused by the database/);
  assert.deepEqual([refused?.['bodyBytes'], refused?.['seen']], [6, 1]);
  assert.deepEqual(pipeline.eventsOf('storeDown'), []);
  assert.equal(pipeline.eventsOf('stageFailed').length, 1);
});
