/**
 * Goal: a deletion removes a user from every collection and nobody else, finishes although a process dies, and its tombstone keeps the id
 * from being used. Method: a real database with what each collection can have of a user.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ErasedUsers, ErasureStore } from '@fit/service';
import { Binary } from 'mongodb';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { boundaryBefore } from '../../src/erasure/boundary.ts';
import { Erasures } from '../../src/erasure/erasures.ts';
import { UserTraces } from '../../src/erasure/store/userTraces.ts';
import { UserStore } from '../../src/store/userStore.ts';

const DAY = '2026-01-01';
const idOf = (userId: string) => `createWod:${userId}:${DAY}`;
/** A job that the user submitted. */
const SUBMITTED = 'uppercase_text:ann:1f2e';

async function storeTraces(t: TestContext, { isActive }: { readonly isActive: boolean }) {
  const store = await testStore(t);
  const page = { runId: 'run', state: 'ended', skippedIds: [] };
  const letter = { headers: '{}', reason: '' };
  const body = (value: object) => new Binary(Buffer.from(JSON.stringify(value)));
  const documents = {
    users: [{ _id: 'ann' }, { _id: 'ann-2' }, { _id: 'ben' }],
    accounts: [
      { _id: 'account-1', userId: 'ann' },
      { _id: 'account-2', userId: 'ben' },
    ],
    sessions: [
      { _id: 'session-1', accountId: 'account-1' },
      { _id: 'session-2', accountId: 'account-2' },
    ],
    jobs: [
      { _id: idOf('ann'), batch: 'run:' },
      { _id: idOf('ann-2'), batch: 'run:ann' },
      { _id: idOf('ben'), batch: 'run:ann' },
      { _id: 'uppercase_text:1', owner: 'ann' },
      { _id: 'uppercase_text:2', owner: 'ben' },
    ],
    // The job of the last one is deleted already.
    results: [{ _id: 'uppercase_text:1' }, { _id: 'uppercase_text:2' }, { _id: SUBMITTED }],
    wods: [{ _id: `ann:${DAY}` }, { _id: `ann-2:${DAY}` }],
    runs: [
      {
        _id: 'run',
        items: ['ann', 'ben'],
        cursor: 'ann',
        pageCount: 2,
        recordedPages: 2,
        isActive,
      },
    ],
    batches: [
      { ...page, _id: 'run:', after: '', last: 'ann', ids: [idOf('abe'), idOf('ann'), SUBMITTED] },
      { ...page, _id: 'run:ann', after: 'ann', last: 'ben', ids: [idOf('ann-2'), idOf('ben')] },
      { ...page, _id: 'run/1:ann', ids: [idOf('ben')] },
    ],
    workers: [{ _id: 'worker', jobIds: [idOf('ann'), SUBMITTED, idOf('ben')] }],
    deadLetters: [
      { ...letter, _id: 'letter-1', messageId: SUBMITTED, body: body({}) },
      { ...letter, _id: 'letter-2', messageId: 'x', body: body({ payload: { userId: 'ann' } }) },
      { ...letter, _id: 'letter-3', messageId: 'x', body: body({ payload: { userId: 'ben' } }) },
    ],
    idempotencyKeys: [
      { _id: 'kept-1', reply: { body: JSON.stringify({ id: SUBMITTED }) } },
      { _id: 'kept-2', reply: { body: JSON.stringify({ id: 'ben' }) } },
    ],
    operations: [
      {
        _id: 'replay-1',
        selection: JSON.stringify({ ids: [idOf('ann'), idOf('ben')] }),
        filter: { ids: [idOf('ann'), idOf('ben')] },
        reason: 'ann called; ann-2 did not',
      },
      {
        _id: 'replay-2',
        selection: JSON.stringify({ filter: { user: 'ann' } }),
        filter: { keyPattern: `${RegExp.escape('ann')}:.*` },
        reason: 'x',
        failure: `${idOf('ann')}: does not fit`,
      },
    ],
    operationParts: [
      {
        _id: 'replay-1:000000',
        replayedIds: [idOf('ann'), idOf('ann-2')],
        ends: ['succeeded', 'failedAgain'],
        skipped: [{ id: SUBMITTED, reason: 'is done' }],
      },
    ],
    failures: [
      { _id: 'group-1', sample: { jobId: SUBMITTED, reason: 'no profile of ann' } },
      { _id: 'group-2', sample: { jobId: idOf('ben'), reason: 'x' } },
    ],
  };
  for (const [name, stored] of Object.entries(documents)) await store.raw(name).insertMany(stored);
  const read = async () => {
    const entries = Object.keys(documents).map(async (name) => {
      const found = await store.raw(name).find().sort({ _id: 1 }).toArray();
      return [name, found] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  };
  return { store, read };
}

/** @returns whether a document has the id as a value or as a part of an id. */
const names = (document: object, userId: string) =>
  new RegExp(`(?<![\\w-])${userId}(?![\\w-])`).test(
    JSON.stringify(document, (_key, value: unknown) =>
      value instanceof Binary ? Buffer.from(value.buffer).toString('latin1') : value,
    ),
  );

test('every collection forgets the user and keeps the others', async (t) => {
  const { store, read } = await storeTraces(t, { isActive: false });
  for (const [name, found] of Object.entries(await read()))
    assert.ok(
      ['sessions', 'results'].includes(name) || found.some((each) => names(each, 'ann')),
      name,
    );
  const traces = new UserTraces(store.database);
  assert.equal(await traces.erase('ann'), true);
  const left = await read();
  for (const [name, found] of Object.entries(left))
    for (const document of found)
      assert.ok(!names(document, 'ann'), `${name}: ${JSON.stringify(document)}`);
  const position = boundaryBefore('ann-2');
  assert.deepEqual(
    Object.fromEntries(
      Object.entries(left).map(([name, found]) => [name, found.map(({ _id }) => _id)]),
    ),
    {
      users: ['ann-2', 'ben'],
      accounts: ['account-2'],
      sessions: ['session-2'],
      jobs: [idOf('ann-2'), idOf('ben'), 'uppercase_text:2'],
      results: ['uppercase_text:2'],
      wods: [`ann-2:${DAY}`],
      runs: ['run'],
      batches: [`run/1:${boundaryBefore('ben')}`, 'run:', `run:${position}`],
      workers: ['worker'],
      deadLetters: ['letter-3'],
      idempotencyKeys: ['kept-2'],
      operations: ['replay-1', 'replay-2'],
      operationParts: ['replay-1:000000'],
      failures: ['group-1', 'group-2'],
    },
  );
  assert.equal(left['operations']?.[0]?.['reason'], '(deleted) called; ann-2 did not');
  assert.ok(
    !JSON.stringify(left['operations']).includes(JSON.stringify(RegExp.escape('ann')).slice(1, -1)),
  );
  assert.deepEqual(left['operationParts']?.[0]?.['replayedIds'], [
    `createWod:(deleted):${DAY}`,
    idOf('ann-2'),
  ]);
  // The next page begins in the same gap, and its jobs name it.
  assert.ok('abe' < position && position < 'ann-2');
  assert.equal(left['jobs']?.[0]?.['batch'], `run:${position}`);
  assert.deepEqual(await traces.erase('ann'), true, 'it may be repeated');
  await traces.erase('ann-2');
  for (const [name, found] of Object.entries(await read()))
    for (const document of found)
      assert.ok(!JSON.stringify(document).includes(position), `${name} has the position of ann-2`);
});

test('a page of a run that is under way keeps its position for now, and another process ends the deletion', async (t) => {
  const { store, read } = await storeTraces(t, { isActive: true });
  const erasureStore = await ErasureStore.open(store.database);
  const erasures = () =>
    new Erasures({
      store: erasureStore,
      traces: new UserTraces(store.database),
      eraseFromBroker: () => Promise.resolve(),
      leases: store.leases,
      clock: { now: () => new Date(nowMs) },
      settleMs: 60_000,
      onEvent: () => undefined,
    });
  let nowMs = Date.now();
  // The process that answers the request carries out nothing more.
  await erasures().begin('ann');
  const other = erasures();
  await other.round();
  assert.ok((await read())['users']?.every(({ _id }) => _id !== 'ann'));
  const until = async () => (await erasureStore.find('ann'))?.nextAt?.getTime();
  assert.equal(await until(), nowMs + 60_000, 'the last pass follows after the retry path');
  nowMs += 60_000;
  await other.round();
  assert.equal((await read())['batches']?.at(-1)?._id, 'run:ann');
  assert.equal(await until(), nowMs + 30_000);
  await store.raw('runs').updateOne({}, { $set: { isActive: false } });
  nowMs += 30_000;
  await other.round();
  const done = await erasureStore.find('ann');
  assert.deepEqual([done?.doneAt?.getTime(), done?.userId], [nowMs, undefined]);
  assert.ok(!JSON.stringify(await store.raw('erasures').find().toArray()).includes('ann'));

  const users = new UserStore(store.database, erasureStore);
  const { created, takenIds } = await users.create([{ id: 'ann' }, { id: 'cat' }], new Date());
  assert.deepEqual([created.map(({ id }) => id), takenIds], [['cat'], ['ann']]);
  const erased = await ErasedUsers.start(erasureStore);
  t.after(() => {
    erased.stop();
  });
  assert.deepEqual([erased.isEmpty, erased.has('ann'), erased.has('ben')], [false, true, false]);
});
