/** Goal: a replay gives every attempt again, and only to the letters that are meant. Method: short tiers, a real broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '@fit/topology';
import { type DeadLetterPublisher, openDeadLetterPublisher } from '@fit/topology/amqp';
import { followReplay } from '../../src/dead-letters/followReplay.ts';
import { replayLetters } from '../../src/dead-letters/replayLetters.ts';
import { countOf } from '../../src/dead-letters/replayOptions.ts';
import { DeskBench, names } from './deskBench.ts';

test('an exhausted letter gets all its attempts again, and dies with a new history', async (t) => {
  const desk = await DeskBench.open(t);
  const { bench } = desk;
  const publisher = await bench.publisher();
  const visits: { key: string; agrees: boolean | undefined; count: unknown }[] = [];
  await bench.consumer((delivery) => {
    const { routingKey: key, headers } = delivery;
    const agrees = attemptOf(bench.kind, key, headers)?.agreesWithDeaths;
    visits.push({ key, agrees, count: headers['replay-count'] });
    delivery.reject();
  });
  await publisher.publish(bench.message('poison', { headers: { trace: 'abc' } }));
  await bench.expectReady('one.dead', 1);
  for (const round of [1, 2]) {
    visits.length = 0;
    const report = await replayLetters(desk.replayOptions());
    assert.deepEqual([report.end, report.replayedCount, report.leftCount], ['done', 1, 0]);
    await bench.expectReady('one.dead', 1);
    // Copied headers would spend the old budget, and x-death would disagree with the key.
    assert.deepEqual(visits, [
      { key: 'job.one', agrees: true, count: round },
      { key: 'one.r1', agrees: true, count: round },
      { key: 'one.r2', agrees: true, count: round },
    ]);
  }
  const [letter] = await desk.letters();
  assert.equal(letter?.cause, 'exhausted');
  assert.equal(letter.headers['trace'], 'abc');
  assert.equal(letter.deaths.find(({ queue }) => queue === 'one')?.count, 3);
});

test('what steers the broker is stripped, what is own is kept', async (t) => {
  const desk = await DeskBench.open(t);
  const { bench } = desk;
  await desk.park(['steered'], {
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
  const options = desk.replayOptions();
  await replayLetters(options);
  const [message] = await desk.drain('one');
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
  await bench.expectEmpty();
});

test('a filter, a limit and an order choose; the others stay in their order', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(['a0', 'a1', 'a2']);
  await desk.park(['b0', 'b1', 'b2', 'b3'], { headers: { 'death-class': 'B', team: 'blue' } });
  await desk.park(['a3']);
  const dry = await replayLetters(desk.replayOptions({ isDryRun: true, limit: 3 }));
  assert.deepEqual([dry.replayedCount, dry.groups.map(({ count }) => count)], [3, [4, 4]]);
  assert.deepEqual(await desk.ids(), ['a0', 'a1', 'a2', 'b0', 'b1', 'b2', 'b3', 'a3']);
  const blue = { errorClass: 'B', headers: [['team', 'blue'] as const] };
  const report = await replayLetters(
    desk.replayOptions({ filter: blue, limit: 2, order: 'newest' }),
  );
  assert.deepEqual([report.end, report.replayedCount, report.otherCount], ['limit', 2, 4]);
  assert.deepEqual(await desk.ids(), ['a0', 'a1', 'a2', 'b0', 'b1', 'a3']);
  assert.deepEqual(
    (await desk.drain('one')).map(({ messageId }) => messageId),
    ['b3', 'b2'],
  );
});

test('more letters than are held at a time: round by round, in order', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(25));
  const report = await replayLetters(desk.replayOptions({ holdLimit: 10 }));
  assert.deepEqual([report.end, report.replayedCount], ['done', 25]);
  assert.deepEqual(
    (await desk.drain('one')).map(({ messageId }) => messageId),
    names(25),
  );
  assert.deepEqual(await desk.ids(), []);
});

test('letters that do not match and fill the hand are told, not gone round for ever', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(12));
  await desk.park(['wanted'], { headers: { 'death-class': 'Wanted' } });
  const filter = { errorClass: 'Wanted' };
  const short = await replayLetters(desk.replayOptions({ holdLimit: 10, filter }));
  assert.deepEqual([short.end, short.replayedCount], ['blocked', 0]);
  const long = await replayLetters(desk.replayOptions({ holdLimit: 20, filter }));
  assert.deepEqual([long.end, long.replayedCount], ['done', 1]);
  assert.deepEqual(await desk.ids(), names(12));
});

test('what another run replayed meanwhile is left alone', async (t) => {
  const desk = await DeskBench.open(t);
  const startedAt = new Date(Date.now() - 60_000);
  const replay = { 'replay-id': 'other', 'replay-count': 1, 'replay-at': Date.now() };
  await desk.park(['meanwhile'], { headers: replay });
  await desk.park(['before'], { headers: { ...replay, 'replay-at': Date.now() - 120_000 } });
  const report = await replayLetters(desk.replayOptions({ run: { replayId: 'mine', startedAt } }));
  assert.deepEqual([report.replayedCount, report.otherCount], [1, 1]);
  assert.deepEqual(await desk.ids(), ['meanwhile']);
});

/** Fatal: parks each message again at once, as a worker does it, with the headers that the replay gave it. */
async function parkAgain(desk: DeskBench): Promise<DeadLetterPublisher> {
  const post = await openDeadLetterPublisher(desk.bench.amqpUrl);
  await desk.bench.consumer((delivery) => {
    const { routingKey: key, body, headers, messageId = '' } = delivery;
    void post
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
  return post;
}

for (const [queue, holdLimit] of [
  ['a queue in sight', 10_000],
  ['a queue longer than what is held', 50],
] as const)
  test(`letters that fail again stop the run at its cap: ${queue}`, async (t) => {
    const desk = await DeskBench.open(t);
    const { bench } = desk;
    await desk.park(names(200));
    const post = await parkAgain(desk);
    const said: string[] = [];
    const report = await replayLetters(
      desk.replayOptions({
        refailureLimit: 5,
        ratePerSecond: 100,
        holdLimit,
        say: (line) => said.push(line),
      }),
    );
    assert.equal(report.end, 'refailures');
    assert.ok(countOf(report.cameBack) >= 5);
    assert.ok(report.replayedCount < 100, `${report.replayedCount} were sent before it stopped`);
    assert.ok(said.some((line) => line.includes('the replay stops')));
    await bench.expectReady('one', 0);
    await bench.expectReady('one.dead', 200);
    assert.deepEqual(new Set(await desk.ids()), new Set(names(200)));
    await post.close();
  });

test('waiting tells what came back and what is gone', async (t) => {
  const desk = await DeskBench.open(t);
  const { bench } = desk;
  await desk.park(['good', 'bad', 'good2', 'bad2']);
  await bench.consumer((delivery) => {
    if (delivery.messageId?.startsWith('good')) delivery.ack();
    else delivery.reject();
  });
  const options = desk.replayOptions();
  const report = await replayLetters(options);
  assert.equal(report.replayedCount, 4);
  const follow = await followReplay(options, report.replayedCount);
  assert.equal(follow.end, 'settled');
  assert.deepEqual(
    follow.cameBack.map(({ cause, count, exampleIds }) => [cause, count, exampleIds]),
    [['exhausted', 2, ['bad', 'bad2']]],
  );
  assert.deepEqual(await desk.ids(), ['bad', 'bad2']);
});
