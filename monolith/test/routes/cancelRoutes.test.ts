/**
 * Goal: what can be cancelled or run again is, what cannot is refused with its state, and a repeated request does no harm. Method: a
 * real server over a real database; the relay and the workers are in `jobs/test/broker/cancelledRun.test.ts`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wodId } from '@fit/contract';
import { newJob } from '@fit/jobs';
import { countingRunStore } from '@fit/jobs/store';
import { createApp, IdempotencyStore, listen } from '@fit/service';
import { storeRun } from '../../../jobs/test/support/storedRun.ts';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { acceptToken } from '../../../service/test/support/acceptToken.ts';
import { NO_AUDIT } from '../../../service/test/support/noAudit.ts';
import { jobRoutes } from '../../src/routes/jobRoutes.ts';
import { runRoutes } from '../../src/routes/runRoutes.ts';
import { RunStarter } from '../../src/runs/runStarter.ts';
import { UserStore } from '../../src/store/userStore.ts';

const TOKEN = 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe';
const date = '2026-12-05';

interface Answer {
  readonly status: number;
  readonly body: { readonly code?: string; readonly state?: string; readonly runId?: string };
}

test('jobs and runs are cancelled and run again where that applies, else refused with their state', async (t) => {
  const store = await testStore(t);
  const users = new UserStore(store.database);
  await users.create([{ id: 'a' }, { id: 'b' }], new Date());
  const starter = new RunStarter({
    runs: store.runs,
    expander: () => undefined,
    today: () => date,
  });
  const idempotency = new IdempotencyStore(store.database);
  await idempotency.ensureIndexes();
  const app = createApp({
    routes: [
      ...jobRoutes({
        ...store,
        countingRuns: countingRunStore(store.database, store),
        wakeRelay: () => undefined,
      }),
      ...runRoutes({ ...store, users, starter, queue: 'createWodQueue' }),
    ],
    authenticate: acceptToken(TOKEN),
    audit: NO_AUDIT,
    idempotency,
    onRequest: () => undefined,
    onDefect: (error) => assert.fail(String(error)),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const post = async (path: string, key?: string): Promise<Answer> => {
    const response = await fetch(server.url + path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  };
  const refusal = ({ status, body }: Answer) => [status, body.code, body.state];

  const job = newJob(
    { kind: 'createWod', key: wodId('a', date), payload: {} },
    { runId: 'other', batch: 'other:', now: store.clock.now() },
  );
  await store.jobs.insert([job]);
  const path = `/jobs/${job._id}/cancel`;
  for (const key of ['one', 'one']) {
    const { status, body } = await post(path, key);
    assert.deepEqual([status, body.state], [200, 'cancelled']);
  }
  assert.deepEqual(refusal(await post(path)), [409, 'job_not_cancellable', 'cancelled']);
  assert.equal((await post('/jobs/createWod:nobody/cancel')).body.code, 'job_not_found');
  assert.ok((await store.cancellations.latest()) !== undefined, 'workers ask about jobs now');

  const { _id: id } = await starter.start({
    date,
    userIds: ['b', 'a'],
    keyHash: undefined,
    traceparent: undefined,
  });
  assert.deepEqual(refusal(await post(`/runs/${id}/rerun`)), [409, 'run_under_way', 'accepting']);
  for (const attempt of ['first', 'repeated']) {
    const { status, body } = await post(`/runs/${id}/cancel`);
    assert.deepEqual([status, body.state], [202, 'cancelling'], attempt);
  }
  assert.deepEqual(await store.runs.claim('a relay'), [], 'no relay expands it any more');
  const { fence, cancelledAt } = (await store.runs.find(id)) ?? {};
  assert.deepEqual([fence, cancelledAt instanceof Date], [2, true]);
  await store.raw('runs').updateOne({ _id: id }, { $set: { isActive: false } });
  assert.deepEqual(refusal(await post(`/runs/${id}/cancel`)), [409, 'run_ended', 'cancelled']);

  const again = await post(`/runs/${id}/rerun`, 'two');
  assert.equal(again.status, 202);
  assert.equal((await post(`/runs/${id}/rerun`, 'two')).body.runId, again.body.runId);
  const run = await store.runs.find(again.body.runId ?? '');
  assert.deepEqual(
    [run?.rerunOf, run?.items, run?.request],
    [id, ['a', 'b'], { date, isForEveryone: false }],
  );
  const { id: finished } = await storeRun(store, [{ created: 0 }]);
  const request = { date, isForEveryone: true };
  await store.raw('runs').updateOne({ _id: finished }, { $set: { request } });
  // Its counters show the end, and the reconciler has not marked it yet.
  assert.equal((await post(`/runs/${finished}/rerun`)).status, 202);
  await store.raw('runs').updateOne({ _id: finished }, { $set: { isActive: false } });
  assert.deepEqual(refusal(await post(`/runs/${finished}/cancel`)), [409, 'run_ended', 'finished']);
  for (const action of ['cancel', 'rerun'])
    assert.equal((await post(`/runs/nothing/${action}`)).body.code, 'run_not_found');
});
