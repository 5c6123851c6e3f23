/** Goal: the server ends each statement at its time limit. Method: statements that are blocked or slow, on the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectStore, STATEMENT_LIMITS } from '@fit/jobs/store';
import { testStore } from '../support/testStore.ts';

const ids = Array.from({ length: 5_000 }, (_, index) => String(index).padStart(5, '0'));
/** Time limit of the blocking writes, which would run for minutes without it. */
const BLOCKERS_MS = 10_000;
const LIMIT_MS = 500;

test('the server ends a blocked write at its limit while the blocking writes still run', async (t) => {
  const store = await testStore(t);
  if ((await store.raw('any').db.admin().buildInfo())['ferretdb'] === undefined) {
    t.skip('only the native database lets writers wait for each other');
    return;
  }
  const limits = { ...STATEMENT_LIMITS, statementMs: LIMIT_MS, budgetMs: 0 };
  const limited = connectStore(store.url, limits);
  t.after(() => limited.close());
  const wall = limited.database.collection('wall');
  const raw = store.raw('wall');
  await raw.insertOne({ _id: 'first' });
  let blockerCount = 2;
  const blockers = [ids, ids.toReversed()].map(async (order) => {
    const documents = order.map((_id) => ({ _id }));
    await raw
      .insertMany(documents, { ordered: false, maxTimeMS: BLOCKERS_MS })
      .catch(() => undefined);
    blockerCount -= 1;
  });
  const [first = '', last = ''] = [ids[0], ids.at(-1)];
  for (;;) {
    // The insert succeeds until a blocking write reaches this id; then the documents are deleted again.
    try {
      await wall.insertNew([{ _id: first }, { _id: last }]);
      await wall.deleteOne(first, {});
      await wall.deleteOne(last, {});
      assert.ok(blockerCount > 0, 'the blockers ended before anything was blocked');
    } catch (error) {
      assert.equal((error as Error).name, 'StoreUnavailable', String(error));
      assert.match((error as Error).message, /statement timeout/);
      break;
    }
  }
  assert.equal(
    blockerCount,
    2,
    'a blocker ended, so it is not shown that the server ended the statement',
  );
  await Promise.all(blockers);
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
