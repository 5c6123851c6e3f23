/** Goal: looking changes nothing, whatever the letters are. Method: hostile letters on a real broker, looked at twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadLetterReaderLost } from '@fit/topology/amqp';
import {
  manyHeaders,
  nestedHeader,
  publishRaw,
} from '../../../topology/test/support/publishRaw.ts';
import { type DeskBroker, deskBroker } from '../../src/dead-letters/deskBroker.ts';
import { LetterGroups } from '../../src/dead-letters/letterGroups.ts';
import { lookThrough } from '../../src/dead-letters/lookThrough.ts';
import { replayLetters } from '../../src/dead-letters/replayLetters.ts';
import { DeskBench, names } from './deskBench.ts';

test('a thousand letters keep their order, however often they are looked at', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(1_000));
  for (let look = 0; look < 3; look += 1) assert.deepEqual(await desk.ids(), names(1_000));
  await desk.bench.expectReady('one.dead', 1_000);
});

test('looks that follow each other at once, each with a connection of its own, keep the order', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(3_000));
  for (let look = 0; look < 5; look += 1) {
    const seen: string[] = [];
    await lookThrough({
      // As in five processes: nothing is known of the look before.
      broker: deskBroker(desk.bench.amqpUrl),
      kind: desk.bench.kind,
      holdLimit: 10_000,
      onStart: () => undefined,
      say: () => undefined,
      onLetter: ({ id }) => seen.push(id) >= 2,
    });
    assert.deepEqual(seen, names(2), `look ${look + 1}`);
  }
  assert.deepEqual(await desk.ids(), names(3_000));
});

test('a look holds no more than it may, and says that there is more', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(30));
  const seen: string[] = [];
  const end = await lookThrough({
    broker: desk.broker,
    kind: desk.bench.kind,
    holdLimit: 10,
    onStart: () => undefined,
    say: () => undefined,
    onLetter: ({ id }) => {
      seen.push(id);
      return false;
    },
  });
  assert.deepEqual([end.end, seen], ['full', names(10)]);
  assert.deepEqual(await desk.ids(), names(30));
});

test('letters are grouped by cause and by what went wrong, numbers aside', async (t) => {
  const desk = await DeskBench.open(t);
  for (const [id, message] of [
    ['a', 'user 17 is unknown'],
    ['b', 'user 4711 is unknown'],
    ['c', 'the store is out'],
  ] as const)
    await desk.park([id], {
      headers: { 'death-cause': 'fatal', 'death-class': 'E', 'death-message': message },
      properties: { messageId: id, timestamp: 1_700_000_000 + id.charCodeAt(0) },
    });
  await desk.park(['d'], { headers: { 'death-cause': 'malformed' } });
  await desk.park(['e'], { headers: {} });
  const groups = new LetterGroups();
  for (const letter of await desk.letters()) groups.add(letter);
  const [unknown, ...others] = groups.list();
  assert.deepEqual(
    [unknown?.cause, unknown?.count, unknown?.exampleIds, unknown?.keys],
    ['fatal', 2, ['a', 'b'], ['one.r1']],
  );
  assert.deepEqual(
    [unknown?.firstAt, unknown?.lastAt],
    ['2023-11-14T22:14:57.000Z', '2023-11-14T22:14:58.000Z'],
  );
  assert.deepEqual(
    others.map(({ cause, exampleIds }) => [cause, exampleIds]),
    [
      ['fatal', ['c']],
      ['malformed', ['d']],
      ['unknown', ['e']],
    ],
  );
});

/** Every one of them would break a reader that trusts what it reads. */
async function parkHostile(desk: DeskBench): Promise<void> {
  const { amqpUrl } = desk.bench;
  const raw = { exchange: 'one.park', key: 'one.r1', body: Buffer.from('{}') };
  await desk.park(['no-json'], { body: Buffer.from([0xff, 0xfe, 0]) });
  await desk.park(['no-id'], { properties: {}, body: Buffer.alloc(0) });
  await desk.park(['x-death'], {
    headers: {
      'x-death': [null, 7, { queue: 1 }, { queue: 'q', reason: 'r', count: 1e300, time: 'then' }],
      'x-last-death-reason': { no: 'reason' },
      'replay-count': 'many',
    },
  });
  const record = { queue: 'one', reason: 'rejected', count: 1, 'routing-keys': ['job.one'] };
  await desk.park(['long-x-death'], {
    headers: { 'x-death': Array.from({ length: 500 }, () => record) },
  });
  await desk.park(['types'], {
    headers: {
      bytes: Buffer.from([1, 2]),
      huge: 2 ** 70,
      nothing: null,
      yes: true,
      time: { '!': 'timestamp', value: 1_700_000_000 },
      deep: { a: [{ b: [1.5] }] },
      '!': 'bang',
      '': 'no name',
      CC: ['one.r2'],
    },
  });
  await desk.park(['large'], { body: Buffer.alloc(200_000, 'x') });
  await publishRaw(amqpUrl, { ...raw, messageId: 'many', table: manyHeaders(10_000) });
  await publishRaw(amqpUrl, { ...raw, messageId: 'nested', table: nestedHeader(20_000) });
  await desk.park(['last']);
}

test('hostile letters are read past; the one with unreadable headers says so', async (t) => {
  const desk = await DeskBench.open(t);
  await parkHostile(desk);
  const letters = await desk.letters();
  const ids = letters.map(({ id }) => id);
  const readable = ['no-json', ids[1], 'x-death', 'long-x-death', 'types', 'large', 'many'];
  assert.deepEqual(ids, [...readable, ids[7], 'last']);
  assert.match(ids[1]!, /^body-[0-9a-f]{12}$/);
  assert.equal(Object.keys(letters[6]?.headers ?? {}).length, 10_000);
  assert.deepEqual(
    letters.map(({ unreadableReason }) => unreadableReason !== undefined),
    [...readable.map(() => false), true, false],
  );
  assert.deepEqual(letters[7]?.body.toString(), '{}');
  assert.deepEqual(await desk.ids(), ids);
});

test('hostile letters are replayed, but for those that cannot be sent, which stay', async (t) => {
  const desk = await DeskBench.open(t);
  await parkHostile(desk);
  const report = await replayLetters(desk.replayOptions());
  assert.deepEqual([report.end, report.replayedCount, report.leftCount], ['done', 7, 2]);
  const told = report.problems.join('\n');
  assert.match(told, /headers cannot be read/);
  assert.match(told, /many is not sent, unsendable/);
  assert.equal((await desk.letters()).length, 2);
  const sent = await desk.drain('one');
  assert.equal(sent.length, 7);
  const types = sent.find(({ messageId }) => messageId === 'types');
  const { bytes, huge, time } = types!.headers;
  assert.deepEqual(
    [bytes, huge, time],
    [Buffer.from([1, 2]), 2 ** 70, { '!': 'timestamp', value: 1_700_000_000 }],
  );
  assert.equal(types?.headers['replay-count'], 1);
});

test('a connection lost at each look ends it, after three of them', async (t) => {
  const desk = await DeskBench.open(t);
  await desk.park(names(5));
  let openedCount = 0;
  const breaking: DeskBroker = {
    ...desk.broker,
    openBox: async (queue) => {
      openedCount += 1;
      const box = await desk.broker.openBox(queue);
      return {
        ...box,
        next: async () => {
          const held = await box.next();
          if (held?.messageId !== 'm3') return held;
          throw new DeadLetterReaderLost('header bomb');
        },
      };
    },
  };
  const said: string[] = [];
  const end = await lookThrough({
    broker: breaking,
    kind: desk.bench.kind,
    holdLimit: 10,
    onStart: () => undefined,
    onLetter: () => false,
    say: (line) => said.push(line),
  });
  assert.deepEqual([end.end, end.seenCount, openedCount], ['lost', 3, 3]);
  assert.match(said[0]!, /one\.dead: the connection was lost at letter 4: header bomb/);
  assert.deepEqual(await desk.ids(), names(5));
});
