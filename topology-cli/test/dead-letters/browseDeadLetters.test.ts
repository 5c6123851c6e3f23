/** Goal: browsing changes nothing, whatever the messages are. Method: hostile messages on a real broker, browsed twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadLetterReaderLost } from '@fit/topology/amqp';
import {
  manyHeaders,
  nestedHeader,
  publishRaw,
} from '../../../topology/test/support/publishRaw.ts';
import {
  browseDeadLetters,
  type DeadLetterBroker,
  deadLetterBroker,
} from '../../src/dead-letters/browseDeadLetters.ts';
import { DeadLetterGroups } from '../../src/dead-letters/deadLetterGroups.ts';
import { replayDeadLetters } from '../../src/dead-letters/replayDeadLetters.ts';
import { DeadLetterEnvironment, names } from './deadLetterEnvironment.ts';

test('a thousand messages keep their order, however often they are browsed', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(1_000));
  for (let look = 0; look < 3; look += 1) assert.deepEqual(await environment.ids(), names(1_000));
  await environment.testTopology.expectReady('one.dead', 1_000);
});

test('readers that follow each other at once, each with its own connection, keep the order', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(3_000));
  for (let look = 0; look < 5; look += 1) {
    const seen: string[] = [];
    await browseDeadLetters({
      // As in five processes: nothing is known of the look before.
      broker: deadLetterBroker(environment.testTopology.amqpUrl),
      kind: environment.testTopology.kind,
      readLimit: 10_000,
      onStart: () => undefined,
      log: () => undefined,
      onDeadLetter: ({ id }) => (seen.push(id) >= 2 ? 'stop' : 'continue'),
    });
    assert.deepEqual(seen, names(2), `look ${look + 1}`);
  }
  assert.deepEqual(await environment.ids(), names(3_000));
});

test('browsing holds no more than the read limit, and reports that there is more', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(30));
  const seen: string[] = [];
  const end = await browseDeadLetters({
    broker: environment.broker,
    kind: environment.testTopology.kind,
    readLimit: 10,
    onStart: () => undefined,
    log: () => undefined,
    onDeadLetter: ({ id }) => {
      seen.push(id);
      return 'continue';
    },
  });
  assert.deepEqual([end.end, seen], ['limit', names(10)]);
  assert.deepEqual(await environment.ids(), names(30));
});

test('dead letters are grouped by cause and error, ignoring numbers', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  for (const [id, message] of [
    ['a', 'user 17 is unknown'],
    ['b', 'user 4711 is unknown'],
    ['c', 'the store is out'],
  ] as const)
    await environment.addDeadLetters([id], {
      headers: { 'death-cause': 'fatal', 'death-class': 'E', 'death-message': message },
      properties: { messageId: id, timestamp: 1_700_000_000 + id.charCodeAt(0) },
    });
  await environment.addDeadLetters(['d'], { headers: { 'death-cause': 'malformed' } });
  await environment.addDeadLetters(['e'], { headers: {} });
  const groups = new DeadLetterGroups();
  for (const deadLetter of await environment.deadLetters()) groups.add(deadLetter);
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
async function parkHostile(environment: DeadLetterEnvironment): Promise<void> {
  const { amqpUrl } = environment.testTopology;
  const raw = { exchange: 'one.park', key: 'one.r1', body: Buffer.from('{}') };
  await environment.addDeadLetters(['no-json'], { body: Buffer.from([0xff, 0xfe, 0]) });
  await environment.addDeadLetters(['no-id'], { properties: {}, body: Buffer.alloc(0) });
  await environment.addDeadLetters(['x-death'], {
    headers: {
      'x-death': [null, 7, { queue: 1 }, { queue: 'q', reason: 'r', count: 1e300, time: 'then' }],
      'x-last-death-reason': { no: 'reason' },
      'replay-count': 'many',
    },
  });
  const record = { queue: 'one', reason: 'rejected', count: 1, 'routing-keys': ['job.one'] };
  await environment.addDeadLetters(['long-x-death'], {
    headers: { 'x-death': Array.from({ length: 500 }, () => record) },
  });
  await environment.addDeadLetters(['types'], {
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
  await environment.addDeadLetters(['large'], { body: Buffer.alloc(200_000, 'x') });
  await publishRaw(amqpUrl, { ...raw, messageId: 'many', table: manyHeaders(10_000) });
  await publishRaw(amqpUrl, { ...raw, messageId: 'nested', table: nestedHeader(20_000) });
  await environment.addDeadLetters(['last']);
}

test('hostile messages do not stop the reader; the one with unreadable headers has its reason', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await parkHostile(environment);
  const deadLetters = await environment.deadLetters();
  const ids = deadLetters.map(({ id }) => id);
  const readable = ['no-json', ids[1], 'x-death', 'long-x-death', 'types', 'large', 'many'];
  assert.deepEqual(ids, [...readable, ids[7], 'last']);
  assert.match(ids[1]!, /^body-[0-9a-f]{12}$/);
  assert.equal(Object.keys(deadLetters[6]?.headers ?? {}).length, 10_000);
  assert.deepEqual(
    deadLetters.map(({ unreadableReason }) => unreadableReason !== undefined),
    [...readable.map(() => false), true, false],
  );
  assert.deepEqual(deadLetters[7]?.body.toString(), '{}');
  assert.deepEqual(await environment.ids(), ids);
});

test('hostile messages are replayed, except those that cannot be published, which stay', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await parkHostile(environment);
  const report = await replayDeadLetters(environment.replayOptions());
  assert.deepEqual([report.end, report.replayedCount, report.failedCount], ['done', 7, 2]);
  const problems = report.problems.join('\n');
  assert.match(problems, /headers cannot be read/);
  assert.match(problems, /many is not replayed, it cannot be encoded/);
  assert.equal((await environment.deadLetters()).length, 2);
  const sent = await environment.drain('one');
  assert.equal(sent.length, 7);
  const types = sent.find(({ messageId }) => messageId === 'types');
  const { bytes, huge, time } = types!.headers;
  assert.deepEqual(
    [bytes, huge, time],
    [Buffer.from([1, 2]), 2 ** 70, { '!': 'timestamp', value: 1_700_000_000 }],
  );
  assert.equal(types?.headers['replay-count'], 1);
});

test('browsing ends after three lost connections', async (t) => {
  const environment = await DeadLetterEnvironment.open(t);
  await environment.addDeadLetters(names(5));
  let openedCount = 0;
  const breaking: DeadLetterBroker = {
    ...environment.broker,
    openReader: async (queue) => {
      openedCount += 1;
      const reader = await environment.broker.openReader(queue);
      return {
        ...reader,
        next: async () => {
          const held = await reader.next();
          if (held?.messageId !== 'm3') return held;
          throw new DeadLetterReaderLost('header bomb');
        },
      };
    },
  };
  const logged: string[] = [];
  const end = await browseDeadLetters({
    broker: breaking,
    kind: environment.testTopology.kind,
    readLimit: 10,
    onStart: () => undefined,
    onDeadLetter: () => 'continue',
    log: (line) => logged.push(line),
  });
  assert.deepEqual([end.end, end.seenCount, openedCount], ['lost', 3, 3]);
  assert.match(logged[0]!, /one\.dead: the connection was lost at message 4: header bomb/);
  assert.deepEqual(await environment.ids(), names(5));
});
