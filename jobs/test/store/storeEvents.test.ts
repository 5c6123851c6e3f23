/** Goal: each command is reported and the connections are counted. Method: the real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectStore, type StoreEvent } from '@fit/jobs/store';
import { eventually, testDatabaseUrl } from '@fit/stack/testing';

test('each command is reported with its outcome and its duration, and the pool is counted', async (t) => {
  const store = connectStore(testDatabaseUrl());
  t.after(() => store.close());
  const events: StoreEvent[] = [];
  store.watch((event) => events.push(event));
  assert.deepEqual({ ...countsOf(store) }, { inUse: 0, idle: 0, pending: 0 });
  const any = store.database.collection('any');
  await any.find({ filter: {}, limit: 1 });
  await assert.rejects(any.aggregate([{ $noSuchStage: {} }]), { name: 'StatementRefused' });
  const commands = events.flatMap((event) =>
    event.type === 'command' ? [[event.command, event.outcome, event.durationMs >= 0]] : [],
  );
  assert.deepEqual(commands, [
    ['find', 'ok', true],
    ['aggregate', 'failed', true],
  ]);
  await eventually(
    () => {
      const { inUse, idle, pending } = countsOf(store);
      return inUse === 0 && idle > 0 && pending === 0;
    },
    { describe: () => JSON.stringify(countsOf(store)) },
  );
});

test('at most ten connections are in use, the other statements wait, and the counts return to zero', async (t) => {
  const store = connectStore(testDatabaseUrl());
  t.after(() => store.close());
  const most = { inUse: 0, pending: 0 };
  store.watch(() => {
    const { inUse, pending } = countsOf(store);
    most.inUse = Math.max(most.inUse, inUse);
    most.pending = Math.max(most.pending, pending);
  });
  const findAny = () => store.database.collection('any').findOne('any');
  await Promise.all(Array.from({ length: 200 }, findAny));
  assert.ok(most.inUse > 0 && most.inUse <= 10, `${most.inUse} in use`);
  assert.ok(most.pending > 100, `${most.pending} waited`);
  const { inUse, pending } = countsOf(store);
  assert.deepEqual([inUse, pending], [0, 0]);
});

function countsOf({ pool }: ReturnType<typeof connectStore>) {
  return { inUse: pool.inUseCount, idle: pool.idleCount, pending: pool.pendingCount };
}
