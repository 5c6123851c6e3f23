/** Goal: the server ends each statement at its time limit. Method: statements that are blocked or slow, on the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectStore, STATEMENT_LIMITS } from '@fit/jobs/store';
import { whileWritesAreBlocked } from '@fit/stack/testing';
import { testStore } from '../support/testStore.ts';

const ids = Array.from({ length: 5_000 }, (_, index) => String(index).padStart(5, '0'));
const LIMIT_MS = 500;

test('the server ends a blocked write at its limit', async (t) => {
  const store = await testStore(t);
  const limits = { ...STATEMENT_LIMITS, statementMs: LIMIT_MS, budgetMs: 0 };
  const limited = connectStore(store.url, limits);
  t.after(() => limited.close());
  const wall = limited.database.collection('wall');
  await wall.insertNew([{ _id: 'first' }]);
  const isNative = await whileWritesAreBlocked(
    { databaseUrl: store.url, collection: 'wall' },
    async () => {
      // Without the limit the driver would end the statement at its socket timeout, with another message.
      const blocked = wall.insertNew([{ _id: 'second' }]);
      await assert.rejects(blocked, { name: 'StoreUnavailable', message: /statement timeout/ });
    },
  );
  if (!isNative) t.skip('only on the native database can a test hold a lock');
});

test('the server ends a slow query at its limit', async (t) => {
  const store = await testStore(t);
  const limits = { ...STATEMENT_LIMITS, statementMs: LIMIT_MS, budgetMs: 0 };
  const limited = connectStore(store.url, limits);
  t.after(() => limited.close());
  await store.raw('slow').insertMany(ids.map((_id) => ({ _id })));
  const slow = limited.database.collection('slow');
  const pipeline = [
    { $project: { number: { $range: [0, 20_000] } } },
    { $unwind: '$number' },
    { $group: { _id: { $mod: ['$number', 7] }, count: { $sum: 1 } } },
  ];
  await assert.rejects(slow.aggregate(pipeline), { name: 'StoreUnavailable', reason: 'outage' });
  const sameSlow = store.database.withLimits(limits).collection('slow');
  await assert.rejects(sameSlow.aggregate(pipeline), {
    name: 'StoreUnavailable',
    reason: 'outage',
  });
  assert.equal(await slow.count({}), ids.length);
});

test('a find is a single statement for thousands of documents too', async (t) => {
  const store = await testStore(t);
  await store.raw('many').insertMany(ids.map((_id) => ({ _id })));
  const connection = connectStore(store.url);
  t.after(() => connection.close());
  const commands: string[] = [];
  connection.watch((event) => {
    if (event.type === 'command') commands.push(event.command);
  });
  const many = connection.database.collection('many');
  const found = await many.find({ filter: {}, sort: { _id: 1 }, limit: 4_000 });
  assert.deepEqual([found.length, found[0]?._id, found.at(-1)?._id], [4_000, '00000', '03999']);
  assert.equal((await many.findByIds([...ids, 'nobody'])).length, ids.length);
  assert.deepEqual(commands, ['find', 'find']);
});

test('an insert returns the ids that existed, in any order, and can be repeated', async (t) => {
  const store = await testStore(t);
  const some = store.database.collection('some');
  assert.deepEqual(await some.insertNew([{ _id: 'c' }, { _id: 'a' }]), new Set());
  assert.deepEqual(await some.insertNew([{ _id: 'c' }, { _id: 'b' }]), new Set(['c']));
  assert.deepEqual(await some.insertNew(ids.map((_id) => ({ _id }))), new Set());
  assert.deepEqual(await some.insertNew(ids.map((_id) => ({ _id }))), new Set(ids));
  assert.equal(await some.count({}), ids.length + 3);
});

test('ten concurrent upserts of one document all succeed', async (t) => {
  const store = await testStore(t);
  const some = store.database.collection<{ _id: string; owner?: number }>('some');
  const owners = await Promise.all(
    Array.from({ length: 10 }, (_, owner) => some.upsert('one', { $setOnInsert: { owner } })),
  );
  assert.equal(new Set(owners.map((stored) => stored?.owner)).size, 1);
});

test('an update at the time of the server finds nothing in a collection that does not exist', async (t) => {
  const store = await testStore(t);
  const some = store.database.collection<{ _id: string; at?: Date }>('some');
  const update = [{ $set: { at: '$$NOW' } }];
  assert.equal(await some.findOneAndUpdate('one', {}, update), undefined);
  await some.insertNew([{ _id: 'one' }]);
  assert.ok((await some.findOneAndUpdate('one', {}, update))?.at instanceof Date);
});

test('of processes that insert one document at once, each gets the one that is stored', async (t) => {
  const store = await testStore(t);
  const connections = Array.from({ length: 3 }, () => connectStore(store.url));
  t.after(() => Promise.all(connections.map((connection) => connection.close())));
  for (let number = 0; number < 20; number += 1) {
    const id = `one-${number}`;
    const answers = await Promise.all(
      connections.map(({ database }, owner) =>
        database
          .collection<{ _id: string; owner: number }>('shared')
          .upsert(id, { $setOnInsert: { owner } }),
      ),
    );
    const stored = await store.raw('shared').findOne({ _id: id });
    assert.deepEqual(
      answers.map((answer) => answer?.owner),
      connections.map(() => stored?.['owner']),
    );
  }
});
