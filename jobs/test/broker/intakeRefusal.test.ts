/**
 * Goal: one letter that the database refuses is kept in outline, once, and stops no other. Method: a store of letters that
 * refuses one of them, as a database does, in front of the real one; real broker, real database.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDeadLetterRecorder, StatementRefused } from '@fit/jobs';
import { DeadLetterStore } from '@fit/jobs/store';
import { eventually } from '@fit/stack/testing';
import { Line } from '../support/line.ts';

class RefusingStore extends DeadLetterStore {
  override async keep(...[letters, now]: Parameters<DeadLetterStore['keep']>) {
    if (letters.some(({ body }) => body.includes('poison')))
      throw new StatementRefused(new Error('the document is refused'));
    return await super.keep(letters, now);
  }
}

test('a refused letter is kept in outline, and the others are kept whole', async (t) => {
  const line = await Line.open(t);
  const publisher = await line.publisher();
  for (let number = 0; number < 20; number += 1)
    await publisher.publish({
      exchange: 'trivial.park',
      key: 'job.trivial',
      id: `letter-${number}`,
      body: Buffer.from(number === 7 ? 'poison' : `body ${number}`),
      headers: { 'death-cause': 'malformed' },
    });
  const intake = await openDeadLetterRecorder({
    amqpUrl: line.amqpUrl,
    managementUrl: line.managementUrl,
    declaration: line.declaration,
    kind: line.declaration.kinds[0]!,
    store: line.store.jobs,
    deadLetters: new RefusingStore(line.store.database),
    onEvent: (event) => line.events.push(event),
    onSession: () => undefined,
  });
  t.after(() => intake.close());
  await eventually(async () => (await line.store.deadLetters.count()) === 20, {
    describe: async () =>
      `${await line.store.deadLetters.count()} letters of 20; ${JSON.stringify(line.events)}`,
  });
  await eventually(async () => (await line.readyCount('trivial.dead')) === 0, {
    describe: () => 'letters are left',
  });
  const refused = await line.store.raw('deadLetters').findOne({ messageId: 'letter-7' });
  assert.match(String(refused?.['reason']), /^refused by the database/);
  assert.deepEqual([refused?.['bodyBytes'], refused?.['seen']], [6, 1]);
  assert.deepEqual(line.eventsOf('storeDown'), []);
  assert.equal(line.eventsOf('stageFailed').length, 1);
});
