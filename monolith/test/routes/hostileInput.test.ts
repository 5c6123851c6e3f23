/** Goal: no request body breaks the schema check or the process. Method: a real server with the routes of users and runs. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createApp, listen } from '@fit/service';
import { EQUIPMENT, EXCLUSIONS } from '@fit/workout';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { acceptToken } from '../../../service/test/support/acceptToken.ts';
import { NO_AUDIT } from '../../../service/test/support/noAudit.ts';
import { type RunRouteParts, runRoutes } from '../../src/routes/runRoutes.ts';
import { userRoutes } from '../../src/routes/userRoutes.ts';
import { UserStore } from '../../src/store/userStore.ts';

const TOKEN = 'q7Zr2mXc9Lw4Tn8Vb1Ks6Jd3Hf5Gy0Pe';
const headers = { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` };

interface Answer {
  readonly status: number;
  readonly body: {
    readonly code?: string;
    readonly created?: number;
    readonly errors?: readonly { readonly field: string; readonly reason: string }[];
  };
}

async function serve(t: TestContext) {
  const store = await testStore(t);
  const defects: unknown[] = [];
  const users = new UserStore(store.database);
  // Every request of these tests is refused before a run would start.
  const parts = {} as RunRouteParts;
  const app = createApp({
    routes: [...userRoutes({ ...store, users, timezone: 'UTC' }), ...runRoutes(parts)],
    authenticate: acceptToken(TOKEN),
    audit: NO_AUDIT,
    onRequest: () => undefined,
    onDefect: (error) => defects.push(error),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  return {
    store,
    users,
    defects,
    post: async (path: string, body: string): Promise<Answer> => {
      const response = await fetch(server.url + path, { method: 'POST', headers, body });
      return { status: response.status, body: (await response.json()) as Answer['body'] };
    },
  };
}

test('deeply nested JSON is answered with 400 and the reason, in every field', async (t) => {
  const { post, defects } = await serve(t);
  const deep = `${'['.repeat(40_000)}${']'.repeat(40_000)}`;
  for (const [path, body] of [
    ['/users', `{"level":"rx","equipment":${deep}}`],
    ['/users', `{"level":"rx","equipment":[],"exclusions":[${deep}]}`],
    ['/users/batch', `{"users":[{"level":"rx","equipment":[${deep}]}]}`],
    ['/generateWods', `{"userIds":${deep}}`],
    ['/generateWods', deep],
  ] as const) {
    const answer = await post(path, body);
    assert.equal(answer.status, 400, path);
    assert.match(answer.body.errors?.[0]?.reason ?? '', /^is nested more than \d+ deep$/, path);
  }
  assert.deepEqual(defects, []);
});

test('an array with too many elements is answered with 400 and the reason', async (t) => {
  const { post, defects } = await serve(t);
  const many = JSON.stringify(Array.from({ length: 24_000 }, () => 'a'));
  for (const [path, body] of [
    ['/users', `{"level":"rx","equipment":${many}}`],
    ['/generateWods', `{"userIds":${many}}`],
  ] as const) {
    const answer = await post(path, body);
    assert.equal(answer.status, 400, path);
    assert.match(answer.body.errors?.[0]?.reason ?? '', /^has more than \d+ elements$/, path);
  }
  assert.deepEqual(defects, []);
});

test('a duplicate element and one element too many are reported for their array', async (t) => {
  const { post } = await serve(t);
  const profile = { level: 'rx', equipment: ['box', 'box'] };
  assert.deepEqual((await post('/users', JSON.stringify(profile))).body.errors, [
    { field: 'body.equipment', reason: 'must not have the same element twice' },
  ]);
  const long = { level: 'rx', equipment: [...EQUIPMENT, 'box'] };
  assert.deepEqual((await post('/users', JSON.stringify(long))).body.errors, [
    { field: 'body.equipment', reason: `must not have more than ${EQUIPMENT.length} items` },
  ]);
  const { errors } = (await post('/generateWods', '{"userIds":["ann","ann"]}')).body;
  assert.deepEqual(
    errors?.map(({ field }) => field),
    ['body.userIds'],
  );
});

test('a date in the query of a new run is refused, since it belongs in the body', async (t) => {
  const { post } = await serve(t);
  const { status, body } = await post('/generateWods?date=2026-12-05', '{}');
  assert.deepEqual(
    [status, body.errors],
    [400, [{ field: 'query.date', reason: 'is not known; none is allowed here' }]],
  );
});

test('a batch accepts 500 of the largest profiles, also with escaped characters', async (t) => {
  const { post, store } = await serve(t);
  const users = (prefix: string) => ({
    users: Array.from({ length: 500 }, (_, number) => ({
      id: `${prefix}${number}`.padEnd(64, 'x'),
      name: '\u{1F3CB}'.repeat(100),
      level: 'intermediate',
      equipment: [...EQUIPMENT],
      exclusions: [...EXCLUSIONS],
    })),
  });
  assert.equal((await post('/users/batch', JSON.stringify(users('a')))).body.created, 500);
  const escaped = JSON.stringify(users('b'), null, 2).replaceAll(
    /[\u0080-\uFFFF]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16)}`,
  );
  assert.equal((await post('/users/batch', escaped)).body.created, 500);
  assert.equal(await store.raw('users').countDocuments(), 1_000);
});
