/**
 * Goal: a request makes one run whatever is repeated, and exactly one relay begins it. Method: a real database, and a relay that
 * only notes what it is given.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RunRecord } from '@fit/jobs';
import { Problem } from '@fit/service';
import { type TestStore, testStore } from '../../../jobs/test/support/testStore.ts';
import { type RunRequest, RunStarter } from '../../src/runs/runStarter.ts';
import { wodRequestOf } from '../../src/runs/wodRequest.ts';

const date = '2026-12-05';

function request(fields: Partial<RunRequest> = {}): RunRequest {
  return {
    date: undefined,
    userIds: undefined,
    keyHash: undefined,
    traceparent: undefined,
    ...fields,
  };
}

/** A process: its starter, its day, and the runs that its relay was given. */
function openProcess({ runs }: TestStore, owner: string, today = date) {
  const begun: RunRecord[] = [];
  const day = { today };
  const expander = { owner, begin: (run: RunRecord) => begun.push(run) };
  const starter = new RunStarter({
    runs,
    expander: () => expander,
    today: () => day.today,
  });
  return { starter, begun, day };
}

async function codeOf(run: Promise<RunRecord>): Promise<unknown> {
  const error: unknown = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Problem);
  return [error.options.status, error.options.code];
}

test('a new run is stored with its request, held by the relay that begins it', async (t: TestContext) => {
  const store = await testStore(t);
  const { starter, begun } = openProcess(store, 'me');
  const userIds = ['b', 'a'];
  const run = await starter.start(request({ userIds, traceparent: 'trace' }));
  assert.deepEqual(begun, [run]);
  assert.deepEqual(
    [run.request, run.items, run.total, run.traceparent, run.owner, run.fence],
    [{ date, isForEveryone: false }, ['a', 'b'], 2, 'trace', 'me', 1],
  );
  assert.deepEqual(await store.runs.find(run._id), run);
  const other = await starter.start(request({ userIds }));
  assert.notEqual(other._id, run._id, 'without a key every request is a run');
});

test('equal requests at once with one key are one run, which one relay begins', async (t) => {
  const store = await testStore(t);
  const processes = ['one', 'two', 'three'].map((owner) => openProcess(store, owner));
  const same = request({ keyHash: 'k' });
  const runs = await Promise.all(
    processes.flatMap(({ starter }) => Array.from({ length: 5 }, () => starter.start(same))),
  );
  assert.equal(new Set(runs.map(({ _id }) => _id)).size, 1);
  const begun = processes.flatMap((one) => one.begun);
  assert.equal(begun.length, 1);
  assert.equal((await store.runs.find(runs[0]?._id ?? ''))?.owner, begun[0]?.owner);
  // Neither the process that began it nor another one begins it again later.
  for (const { starter } of processes) await starter.start(same);
  assert.equal(processes.flatMap((one) => one.begun).length, 1);
});

test('a key without a day means the day of its first request, also after midnight', async (t) => {
  const store = await testStore(t);
  const { starter, day } = openProcess(store, 'me');
  const first = await starter.start(request({ keyHash: 'k' }));
  day.today = '2026-12-06';
  const again = await starter.start(request({ keyHash: 'k' }));
  assert.deepEqual([again._id, wodRequestOf(again).date], [first._id, date]);
  assert.equal(wodRequestOf(await starter.start(request())).date, '2026-12-06');
});

test('another request under a used key is refused, and a list of users in another order is no other request', async (t) => {
  const store = await testStore(t);
  const { starter } = openProcess(store, 'me');
  const first = await starter.start(request({ keyHash: 'k', userIds: ['a', 'b'] }));
  const reordered = request({ keyHash: 'k', userIds: ['b', 'a'] });
  assert.equal((await starter.start(reordered))._id, first._id);
  for (const other of [{ userIds: ['a'] }, { date, userIds: ['a', 'b'] }, {}])
    assert.deepEqual(await codeOf(starter.start(request({ keyHash: 'k', ...other }))), [
      422,
      'idempotency_key_reused',
    ]);
  // Also while the first of them is being stored.
  const [one, two] = await Promise.allSettled([
    starter.start(request({ keyHash: 'm' })),
    starter.start(request({ keyHash: 'm', date })),
  ]);
  assert.deepEqual([one.status, two.status], ['fulfilled', 'rejected']);
});

test('a run that is accepted before the relay is started is free for every relay at once', async (t) => {
  const store = await testStore(t);
  const starter = new RunStarter({
    runs: store.runs,
    expander: () => undefined,
    today: () => date,
  });
  const run = await starter.start(request());
  const [claimed] = await store.runs.claim('another');
  assert.deepEqual([claimed?._id, claimed?.owner, claimed?.fence], [run._id, 'another', 2]);
});
