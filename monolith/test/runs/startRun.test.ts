/**
 * Goal: runs that start at once for the same users are all accepted, with the right counts. Method: nine runs on a real
 * database, some for everyone, some with the users named in different orders.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { type StartRunParts, startRun } from '../../src/runs/startRun.ts';
import { RunStore } from '../../src/store/runStore.ts';
import { UserStore } from '../../src/store/userStore.ts';

const USER_COUNT = 2_000;
const DEADLINE_MS = 90_000;
const date = '2026-12-05';

test('nine runs at once for the same two thousand users are accepted, and each job is created once', async (t) => {
  const store = await testStore(t);
  const users = new UserStore(store.database);
  const ids = Array.from({ length: USER_COUNT }, (_, index) => `user-${index}`);
  const profiles = ids.map((id) => ({ id, level: 'rx' as const, equipment: [] }));
  // The users are not created in the order of their ids.
  await users.create(profiles.toReversed(), new Date());
  const parts: StartRunParts = {
    users,
    runs: new RunStore(store.database),
    jobs: store.jobs,
    largeRunShare: 0,
    onPending: () => undefined,
  };
  const asked = [undefined, ids, ids.toReversed()];
  const runs = Array.from({ length: 9 }, (_, index) =>
    startRun(
      {
        date,
        userIds: asked[index % asked.length],
        idempotencyKey: undefined,
        traceparent: undefined,
      },
      parts,
    ),
  );
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    deadline.reject(new Error(`the runs were not accepted within ${DEADLINE_MS} ms`));
  }, DEADLINE_MS);
  const accepted = await Promise.race([Promise.all(runs), deadline.promise]);
  clearTimeout(timer);
  assert.ok(accepted.every((run) => run.accepted?.total === USER_COUNT));
  const created = accepted.reduce((sum, run) => sum + (run.accepted?.created ?? 0), 0);
  assert.equal(created, USER_COUNT);
  for (const { _id } of accepted)
    assert.deepEqual((await store.jobs.countRun(_id)).states, { pending: USER_COUNT });
});

test('equal requests at once with one key are one run, and each gets its counts', async (t) => {
  const store = await testStore(t);
  const users = new UserStore(store.database);
  const profiles = Array.from({ length: 50 }, (_, index) => ({
    id: `user-${index}`,
    level: 'rx' as const,
    equipment: [],
  }));
  await users.create(profiles, new Date());
  const parts: StartRunParts = {
    users,
    runs: new RunStore(store.database),
    jobs: store.jobs,
    largeRunShare: 0,
    onPending: () => undefined,
  };
  const request = { date, userIds: undefined, idempotencyKey: 'k', traceparent: undefined };
  const runs = await Promise.all(Array.from({ length: 5 }, () => startRun(request, parts)));
  assert.deepEqual(
    runs.map((run) => run.accepted),
    Array(5).fill({ total: 50, created: 50, skipped: 0 }),
  );
  assert.deepEqual((await parts.runs.find(runs[0]?._id ?? ''))?.accepted, runs[0]?.accepted);
});
