/**
 * Goal: the cookie of a browser works for pages of this server alone, and ends when it should. Method: a real server; requests with the
 * headers that browsers send from pages of this and of other origins.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PASSWORD, type ServedAccounts, serveAccounts } from '../support/serveAccounts.ts';

const CSRF = { 'x-fit-csrf': '1' };

async function signIn(served: ServedAccounts, role = 'admin', headers = {}) {
  const email = `${role}@example.org`;
  await served.tokenOf(email, role);
  const answer = await served.ask('POST', '/auth/session', {
    body: { email, password: PASSWORD },
    headers,
  });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  const setCookie = answer.headers.get('set-cookie') ?? '';
  return { setCookie, cookie: setCookie.split(';')[0] ?? '', body: answer.body };
}

test('the cookie is for this server alone, unreadable for scripts, and shows no token', async (t) => {
  const served = await serveAccounts(t);
  const { setCookie, body } = await signIn(served);
  assert.match(
    setCookie,
    /^fit_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
  );
  assert.equal(body['role'], 'admin');
  const secure = await signIn(served, 'admin', { 'x-forwarded-proto': 'https' });
  assert.match(secure.setCookie, /^__Host-fit_session=.*; Secure$/);
  assert.notEqual(secure.cookie, setCookie.split(';')[0], 'each log-in begins a new session');
  const stored = await served.store.raw('sessions').find().toArray();
  assert.equal(stored.length, 2);
  for (const { _id } of stored) assert.ok(!setCookie.includes(_id), 'the database has no cookie');
});

test('a session reads and changes what its role allows, in every process, until the log-out', async (t) => {
  const served = await serveAccounts(t);
  const second = await serveAccounts(t, { beside: served });
  const { cookie } = await signIn(served);
  const { cookie: viewer } = await signIn(served, 'viewer');
  for (const { ask } of [served, second]) {
    assert.equal((await ask('GET', '/users', { headers: { cookie } })).status, 200);
    const create = { body: {}, headers: { cookie, ...CSRF } };
    assert.equal((await ask('POST', '/users', create)).status, 201);
    const forbidden = { body: {}, headers: { cookie: viewer, ...CSRF } };
    assert.equal((await ask('POST', '/users', forbidden)).status, 403);
  }
  const out = await served.ask('POST', '/auth/logout', { headers: { cookie, ...CSRF } });
  assert.equal(out.status, 204);
  assert.match(out.headers.get('set-cookie') ?? '', /^fit_session=; .*Max-Age=0$/);
  for (const { ask } of [served, second])
    assert.equal((await ask('GET', '/users', { headers: { cookie } })).status, 401);
});

test('a session ends when its account is disabled, and a planted cookie is worth nothing', async (t) => {
  const served = await serveAccounts(t);
  const planted = `fit_session=${'p'.repeat(43)}`;
  const { cookie, body } = await signIn(served, 'viewer', { cookie: planted });
  assert.notEqual(cookie, planted);
  assert.equal((await served.ask('GET', '/users', { headers: { cookie: planted } })).status, 401);
  const token = await served.tokenOf('root@example.org', 'admin');
  await served.ask('PATCH', `/accounts/${String(body['id'])}`, {
    token,
    body: { isDisabled: true },
  });
  assert.equal((await served.ask('GET', '/users', { headers: { cookie } })).status, 401);
});

test('a page of another origin changes nothing, whatever a browser sends with its request', async (t) => {
  const served = await serveAccounts(t);
  const { ask, store, url } = served;
  const { cookie } = await signIn(served);
  const ownOrigin = url;
  const cases: readonly [headers: Record<string, string>, status: number, code?: string][] = [
    [{}, 403, 'csrf_header_missing'],
    [{ 'sec-fetch-site': 'same-origin' }, 403, 'csrf_header_missing'],
    [{ ...CSRF, 'sec-fetch-site': 'cross-site' }, 403, 'cross_site'],
    [{ ...CSRF, 'sec-fetch-site': 'same-site' }, 403, 'cross_site'],
    [{ ...CSRF, origin: 'https://evil.example' }, 403, 'cross_site'],
    [{ ...CSRF, origin: 'null' }, 403, 'cross_site'],
    [{ ...CSRF, origin: `${ownOrigin}0` }, 403, 'cross_site'],
    [{ ...CSRF, origin: ownOrigin }, 201],
    [{ ...CSRF, 'sec-fetch-site': 'same-origin', origin: ownOrigin }, 201],
    [CSRF, 201],
  ];
  for (const [headers, status, code] of cases) {
    const answer = await ask('POST', '/users', { body: {}, headers: { cookie, ...headers } });
    assert.deepEqual([answer.status, answer.body['code']], [status, code], JSON.stringify(headers));
  }
  assert.equal(await store.raw('users').countDocuments(), 3);
  // Nobody is signed in by a page of another origin, as the victim of a log-in that its owner knows.
  for (const path of ['/auth/session', '/auth/login', '/auth/register', '/oauth/token']) {
    const answer = await ask('POST', path, {
      body: { email: 'admin@example.org', password: PASSWORD },
      headers: { 'sec-fetch-site': 'cross-site' },
    });
    assert.deepEqual([answer.status, answer.body['code']], [403, 'cross_site'], path);
  }
  const form = { form: `email=admin%40example.org&password=${PASSWORD}` };
  assert.equal((await ask('POST', '/auth/session', form)).status, 415, 'a form needs no preflight');
  const preflight = await ask('OPTIONS', '/users', { headers: { origin: 'https://evil.example' } });
  assert.equal(preflight.headers.get('access-control-allow-origin'), null);
});

test('a bearer token needs no proof of its origin', async (t) => {
  const served = await serveAccounts(t);
  const token = await served.tokenOf('root@example.org', 'admin');
  assert.equal((await served.ask('POST', '/users', { token, body: {} })).status, 201);
});
