/**
 * Goal: the Idempotency-Key of a request for a run counts for its account alone, and is checked. Method: a real server with the route
 * over a real database.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bearerOf, createApp, listen } from '@fit/service';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { NO_AUDIT } from '../../../service/test/support/noAudit.ts';
import { runRoutes } from '../../src/routes/runRoutes.ts';
import { RunStarter } from '../../src/runs/runStarter.ts';
import { UserStore } from '../../src/store/userStore.ts';

async function serve(t: TestContext) {
  const store = await testStore(t);
  const users = new UserStore(store.database);
  await users.create([{ id: 'ann' }], new Date());
  const starter = new RunStarter({
    runs: store.runs,
    expander: () => undefined,
    today: () => '2026-12-07',
  });
  const app = createApp({
    routes: runRoutes({ ...store, users, starter, queue: 'createWodQueue' }),
    // A token is the id of its account, a full stop and the number of the token.
    authenticate: ({ authorization }) =>
      Promise.resolve({
        accountId: bearerOf(authorization)?.split('.')[0] ?? '',
        pseudonym: '',
        role: 'service',
        via: 'bearer',
        credentialId: bearerOf(authorization) ?? '',
      }),
    audit: NO_AUDIT,
    onRequest: () => undefined,
    onDefect: (error) => assert.fail(String(error)),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  return async (token: string, key: string, body: object = {}) => {
    const response = await fetch(`${server.url}/generateWods`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify(body),
    });
    const { runId, code } = (await response.json()) as { runId?: string; code?: string };
    return { status: response.status, runId, code };
  };
}

test('a key of one account neither finds nor refuses the run of another one', async (t) => {
  const request = await serve(t);
  const key = 'cron:2026-12-07';
  const stranger = await request('other.1', key, { userIds: ['ann'] });
  assert.equal(stranger.status, 202);
  const daily = await request('cron.1', key);
  assert.equal(daily.status, 202);
  assert.notEqual(daily.runId, stranger.runId);
  const renewed = await request('cron.2', key);
  assert.equal(renewed.runId, daily.runId, 'a renewed token of the account finds the run again');
  assert.equal((await request('cron.2', key, { userIds: ['ann'] })).code, 'idempotency_key_reused');
});

test('a key that is not as the OpenAPI document states it is refused', async (t) => {
  const request = await serve(t);
  for (const key of ['', 'a b', 'x'.repeat(201), 'x'.repeat(5_000)]) {
    const { status, code } = await request('cron.1', key);
    assert.deepEqual([status, code], [400, 'invalid_input'], key);
  }
  assert.equal((await request('cron.1', 'x'.repeat(200))).status, 202);
});
