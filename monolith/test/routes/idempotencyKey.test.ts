/**
 * Goal: a request that creates something is carried out once for each Idempotency-Key, whatever is repeated when. Method: a real
 * server with the routes of users over a real database.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createApp, IdempotencyStore, listen, type Route } from '@fit/service';
import { eventually } from '@fit/stack/testing';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { acceptToken } from '../../../service/test/support/acceptToken.ts';
import { NO_AUDIT } from '../../../service/test/support/noAudit.ts';
import { userRoutes } from '../../src/routes/userRoutes.ts';
import { UserStore } from '../../src/store/userStore.ts';

const TOKEN = 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe';
const ANN = { name: 'Ann', level: 'rx', equipment: [] };

async function serve(t: TestContext, change = (routes: Route[]) => routes) {
  const store = await testStore(t);
  const users = new UserStore(store.database);
  const idempotency = new IdempotencyStore(store.database);
  await idempotency.ensureIndexes();
  const app = createApp({
    routes: change(userRoutes({ ...store, users, timezone: 'UTC' })),
    idempotency,
    authenticate: acceptToken(TOKEN),
    audit: NO_AUDIT,
    onRequest: () => undefined,
    onDefect: (error) => assert.fail(String(error)),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const post = async (path: string, key: string, body: object) => {
    const response = await fetch(server.url + path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as { readonly id?: string; readonly code?: string };
    return { status: response.status, answer, headers: response.headers };
  };
  return { store, post };
}

test('a repeated request gets the first answer and creates nothing', async (t) => {
  const { store, post } = await serve(t);
  const first = await post('/users', 'key-1', ANN);
  assert.equal(first.status, 201);
  assert.equal(first.headers.get('idempotency-replayed'), null);
  const again = await post('/users', 'key-1', ANN);
  assert.deepEqual([again.status, again.answer], [201, first.answer]);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  const batch = { users: [ANN, ANN] };
  const many = await post('/users/batch', 'key-1', batch);
  assert.deepEqual([many.status, many.answer], [201, { created: 2, takenIds: [] }]);
  assert.deepEqual((await post('/users/batch', 'key-1', batch)).answer, many.answer);
  assert.equal(await store.raw('users').countDocuments(), 3);
});

test('another body with the same key is 422, and a key that is no key is 400', async (t) => {
  const { store, post } = await serve(t);
  await post('/users', 'key-1', ANN);
  const other = await post('/users', 'key-1', { ...ANN, name: 'Bob' });
  assert.deepEqual([other.status, other.answer.code], [422, 'idempotency_key_reused']);
  for (const key of ['a b', 'x'.repeat(201)]) {
    const { status, answer } = await post('/users', key, ANN);
    assert.deepEqual([status, answer.code], [400, 'invalid_input'], key);
  }
  assert.equal(await store.raw('users').countDocuments(), 1);
});

test('a refused request frees its key', async (t) => {
  const { post } = await serve(t);
  await post('/users', 'key-1', { ...ANN, id: 'ann' });
  const refused = await post('/users', 'key-2', { ...ANN, id: 'ann' });
  assert.deepEqual([refused.status, refused.answer.code], [409, 'user_exists']);
  assert.equal((await post('/users', 'key-2', { ...ANN, id: 'bob' })).status, 201);
});

test('a repetition while the first request is under way is 409, and gets the answer later', async (t) => {
  const held: (() => void)[] = [];
  const { store, post } = await serve(t, (routes) =>
    routes.map((route) => ({
      ...route,
      handle: async (input) => {
        await new Promise<void>((resolve) => held.push(resolve));
        return await route.handle(input);
      },
    })),
  );
  const first = post('/users', 'key-1', ANN);
  await eventually(() => held.length === 1, { describe: () => `${held.length} are held` });
  const second = await post('/users', 'key-1', ANN);
  assert.deepEqual([second.status, second.answer.code], [409, 'request_under_way']);
  assert.equal(second.headers.get('retry-after'), '1');
  held[0]?.();
  const { answer } = await first;
  assert.deepEqual((await post('/users', 'key-1', ANN)).answer, answer);
  assert.equal(await store.raw('users').countDocuments(), 1);
});

test('the key of a process that died is taken over after a minute, by one request', async (t) => {
  const { database } = await testStore(t);
  const store = new IdempotencyStore(database);
  const at = (seconds: number) => new Date(Date.UTC(2026, 11, 1) + seconds * 1_000);
  const record = (owner: string, seconds: number) => ({
    _id: 'id',
    requestHash: 'hash',
    owner,
    createdAt: at(seconds),
  });
  assert.equal((await store.begin(record('dead', 0))).owner, 'dead');
  assert.equal((await store.begin(record('early', 60))).owner, 'dead');
  const owners = await Promise.all(
    ['one', 'two'].map(async (owner) => (await store.begin(record(owner, 61))).owner === owner),
  );
  assert.deepEqual(owners.sort(), [false, true]);
  await store.complete('id', 'dead', { status: 201, body: '"late"' });
  assert.equal((await store.begin(record('other', 62))).reply, undefined);
});

test('a repetition after a process died between users and reply finds the users of the first try', async (t) => {
  const { store, post } = await serve(t);
  const first = await post('/users', 'key-1', ANN);
  const many = await post('/users/batch', 'key-1', { users: [ANN, ANN, { ...ANN, id: 'ann' }] });
  // As if the process had ended before it kept the replies, and a minute had passed.
  await store.raw('idempotencyKeys').deleteMany({});
  const again = await post('/users', 'key-1', ANN);
  assert.deepEqual([again.status, again.answer], [201, first.answer]);
  assert.deepEqual(many.answer, { created: 3, takenIds: [] });
  const manyAgain = await post('/users/batch', 'key-1', {
    users: [ANN, ANN, { ...ANN, id: 'ann' }],
  });
  assert.deepEqual(manyAgain.answer, { created: 2, takenIds: ['ann'] });
  assert.equal(await store.raw('users').countDocuments(), 4);
  await store.raw('idempotencyKeys').deleteMany({});
  const other = await post('/users', 'key-1', { ...ANN, name: 'Bob' });
  assert.notEqual(other.answer.id, first.answer.id, 'another request is no repetition');
});
