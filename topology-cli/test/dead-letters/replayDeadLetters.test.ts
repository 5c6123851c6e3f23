/** Goal: a replay gives all attempts again, and only to matching dead letters. Method: short tiers, a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '@fit/topology';
import { type DeadLetterPublisher, openDeadLetterPublisher } from '@fit/topology/amqp';
import { totalCount } from '../../src/dead-letters/deadLetterGroups.ts';
import { replayDeadLetters } from '../../src/dead-letters/replayDeadLetters.ts';
import { awaitReplayOutcome } from '../../src/dead-letters/watchRefailures.ts';
import { DeadLetterEnvironment, names } from './deadLetterEnvironment.ts';

test('an exhausted message gets all its attempts again, and dies with a new history', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  const { testTopology } = environment;
  const publisher = await testTopology.publisher();
  const visits: { key: string; agrees: boolean | undefined; count: unknown }[] = [];
  await testTopology.consumer((delivery) => {
    const { routingKey: key, headers } = delivery;
    const agrees = attemptOf(testTopology.kind, key, headers)?.agreesWithDeaths;
    visits.push({ key, agrees, count: headers['replay-count'] });
    delivery.nackToDeadLetterExchange();
  });
  await publisher.publish(testTopology.message('poison', { headers: { trace: 'abc' } }));
  await testTopology.expectReady('one.dead', 1);
  for (const round of [1, 2]) {
    visits.length = 0;
    const report = await replayDeadLetters(environment.replayOptions());
    assert.deepEqual([report.end, report.replayedCount, report.failedCount], ['done', 1, 0]);
    await testTopology.expectReady('one.dead', 1);
    // Copied headers would spend the old budget, and x-death would disagree with the key.
    assert.deepEqual(visits, [
      { key: 'job.one', agrees: true, count: round },
      { key: 'one.r1', agrees: true, count: round },
      { key: 'one.r2', agrees: true, count: round },
    ]);
  }
  const [deadLetter] = await environment.deadLetters();
  assert.equal(deadLetter?.cause, 'exhausted');
  assert.equal(deadLetter.headers['trace'], 'abc');
  assert.equal(deadLetter.deaths.find(({ queue }) => queue === 'one')?.count, 3);
});

test('headers that the broker obeys are removed, those of the sender are kept', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  const { testTopology } = environment;
  await environment.addDeadLetters(['steered'], {
    headers: {
      'death-cause': 'fatal',
      'death-class': 'E',
      'x-death': 'nonsense',
      own: 7,
      CC: ['one.r2'],
      BCC: ['one.r1'],
      'x-delivery-count': 9,
      'x-request-id': 'r',
      'x-first-death-reason': 'expired',
      'x-last-death-queue': 'one',
    },
    properties: { messageId: 'steered', correlationId: 'c', priority: 3, timestamp: 1_700_000_000 },
  });
  const options = environment.replayOptions();
  await replayDeadLetters(options);
  const [message] = await environment.drain('one');
  const { 'replay-at': at, ...headers } = message!.headers;
  assert.equal(typeof at, 'number');
  assert.deepEqual(headers, {
    own: 7,
    'x-request-id': 'r',
    'replay-id': options.run.replayId,
    'replay-count': 1,
  });
  assert.deepEqual(message?.properties, {
    messageId: 'steered',
    correlationId: 'c',
    priority: 3,
    timestamp: 1_700_000_000,
    deliveryMode: 2,
  });
  assert.equal(message.routingKey, 'job.one');
  await testTopology.expectEmpty();
});

test('filter, limit and order select messages; the others stay in their order', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(['a0', 'a1', 'a2']);
  await environment.addDeadLetters(['b0', 'b1', 'b2', 'b3'], {
    headers: { 'death-class': 'B', team: 'blue' },
  });
  await environment.addDeadLetters(['a3']);
  const dry = await replayDeadLetters(environment.replayOptions({ isDryRun: true, limit: 3 }));
  assert.deepEqual([dry.replayedCount, dry.groups.map(({ count }) => count)], [3, [4, 4]]);
  assert.deepEqual(await environment.ids(), ['a0', 'a1', 'a2', 'b0', 'b1', 'b2', 'b3', 'a3']);
  const blue = { errorClass: 'B', headers: [['team', 'blue'] as const] };
  const report = await replayDeadLetters(
    environment.replayOptions({ filter: blue, limit: 2, order: 'newest' }),
  );
  assert.deepEqual([report.end, report.replayedCount, report.otherCount], ['limit', 2, 4]);
  assert.deepEqual(await environment.ids(), ['a0', 'a1', 'a2', 'b0', 'b1', 'a3']);
  assert.deepEqual(
    (await environment.drain('one')).map(({ messageId }) => messageId),
    ['b3', 'b2'],
  );
});

test('more messages than are held at a time are replayed in rounds, in order', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(25));
  const report = await replayDeadLetters(environment.replayOptions({ readLimit: 10 }));
  assert.deepEqual([report.end, report.replayedCount], ['done', 25]);
  assert.deepEqual(
    (await environment.drain('one')).map(({ messageId }) => messageId),
    names(25),
  );
  assert.deepEqual(await environment.ids(), []);
});

test('where the messages that are held do not match, the replay ends as blocked instead of repeating rounds', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(12));
  await environment.addDeadLetters(['wanted'], { headers: { 'death-class': 'Wanted' } });
  const filter = { errorClass: 'Wanted' };
  const short = await replayDeadLetters(environment.replayOptions({ readLimit: 10, filter }));
  assert.deepEqual([short.end, short.replayedCount], ['blocked', 0]);
  const long = await replayDeadLetters(environment.replayOptions({ readLimit: 20, filter }));
  assert.deepEqual([long.end, long.replayedCount], ['done', 1]);
  assert.deepEqual(await environment.ids(), names(12));
});

test('messages that another run has replayed meanwhile are left', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  const startedAt = new Date(Date.now() - 60_000);
  const replay = { 'replay-id': 'other', 'replay-count': 1, 'replay-at': Date.now() };
  await environment.addDeadLetters(['meanwhile'], { headers: replay });
  await environment.addDeadLetters(['before'], {
    headers: { ...replay, 'replay-at': Date.now() - 120_000 },
  });
  const report = await replayDeadLetters(
    environment.replayOptions({ run: { replayId: 'mine', startedAt } }),
  );
  assert.deepEqual([report.replayedCount, report.otherCount], [1, 1]);
  assert.deepEqual(await environment.ids(), ['meanwhile']);
});

/** Fatal: parks each message again at once, as a worker does it, with the headers that the replay gave it. */
async function parkAgain(environment: DeadLetterEnvironment): Promise<DeadLetterPublisher> {
  const publisher = await openDeadLetterPublisher(environment.testTopology.amqpUrl);
  await environment.testTopology.consumer((delivery) => {
    const { routingKey: key, body, headers, messageId = '' } = delivery;
    void publisher
      .publish({
        exchange: 'one.park',
        key,
        body,
        properties: { messageId },
        headers: { ...headers, 'death-cause': 'fatal' },
      })
      .then(() => {
        delivery.ack();
      });
  });
  return publisher;
}

for (const [queue, readLimit] of [
  ['a queue in sight', 10_000],
  ['a queue longer than what is held', 50],
] as const)
  test(`messages that die again stop the replay at its limit: ${queue}`, async (t) => {
    const environment = await DeadLetterEnvironment.open(t);
    const { testTopology } = environment;
    await environment.addDeadLetters(names(200));
    const publisher = await parkAgain(environment);
    const logged: string[] = [];
    const report = await replayDeadLetters(
      environment.replayOptions({
        refailureLimit: 5,
        ratePerSecond: 100,
        readLimit,
        log: (line) => logged.push(line),
      }),
    );
    assert.equal(report.end, 'refailures');
    assert.ok(totalCount(report.refailed) >= 5);
    assert.ok(report.replayedCount < 100, `${report.replayedCount} were sent before it stopped`);
    assert.ok(logged.some((line) => line.includes('the replay stops')));
    await testTopology.expectReady('one', 0);
    await testTopology.expectReady('one.dead', 200);
    assert.deepEqual(new Set(await environment.ids()), new Set(names(200)));
    await publisher.close();
  });

test('waiting reports which messages died again', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  const { testTopology } = environment;
  await environment.addDeadLetters(['good', 'bad', 'good2', 'bad2']);
  await testTopology.consumer((delivery) => {
    if (delivery.messageId?.startsWith('good')) delivery.ack();
    else delivery.nackToDeadLetterExchange();
  });
  const options = environment.replayOptions();
  const report = await replayDeadLetters(options);
  assert.equal(report.replayedCount, 4);
  const follow = await awaitReplayOutcome(options, report.replayedCount);
  assert.equal(follow.end, 'idle');
  assert.deepEqual(
    follow.refailed.map(({ cause, count, exampleIds }) => [cause, count, exampleIds]),
    [['exhausted', 2, ['bad', 'bad2']]],
  );
  assert.deepEqual(await environment.ids(), ['bad', 'bad2']);
});
