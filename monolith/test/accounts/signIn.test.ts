/**
 * Goal: who registers and logs in gets a token that works until it is ended, and nobody else does. Method: two processes' routes over one
 * database on the real server; expiry by signed tokens with other times.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  BOOTSTRAP_SECRET,
  CRON_SECRET,
  PASSWORD,
  type ServedAccounts,
  serveAccounts,
} from '../support/serveAccounts.ts';

const ANN = { email: 'ann@example.org', password: PASSWORD, name: 'Ann' };

async function logIn({ ask }: ServedAccounts, person = ANN): Promise<string> {
  const { email, password } = person;
  const { status, body } = await ask('POST', '/auth/login', { body: { email, password } });
  assert.equal(status, 200, JSON.stringify(body));
  return String(body['access_token']);
}

test('a member registers with password123, logs in and reads the own profile, in both processes', async (t) => {
  const first = await serveAccounts(t);
  const second = await serveAccounts(t, { beside: first });
  const registered = await first.ask('POST', '/auth/register', { body: ANN });
  assert.equal(registered.status, 201, JSON.stringify(registered.body));
  const { userId, role, email, createdAt } = registered.body;
  assert.deepEqual([role, email, typeof createdAt], ['member', ANN.email, 'string']);
  assert.deepEqual(
    Object.keys(registered.body).sort(),
    ['createdAt', 'email', 'id', 'isDisabled', 'name', 'role', 'userId'],
    'neither password nor stamp is shown',
  );
  const token = await logIn(first);
  for (const { ask } of [first, second]) {
    const own = await ask('GET', `/users/${String(userId)}`, { token });
    assert.equal(own.status, 200, JSON.stringify(own.body));
    assert.deepEqual([own.body['level'], own.body['equipment']], ['beginner', []]);
    const me = await ask('GET', '/auth/me', { token });
    assert.deepEqual([me.status, me.body['userId']], [200, userId]);
    assert.equal((await ask('GET', '/users/somebody', { token })).status, 403);
    assert.equal((await ask('GET', '/users', { token })).status, 403);
    assert.equal((await ask('GET', '/accounts', { token })).status, 403);
  }
  const again = await second.ask('POST', '/auth/register', {
    body: { ...ANN, email: ' ANN@Example.org' },
  });
  assert.deepEqual([again.status, again.body['code']], [409, 'email_taken']);
});

test('of many simultaneous registrations of one address in two processes exactly one succeeds', async (t) => {
  const first = await serveAccounts(t);
  const second = await serveAccounts(t, { beside: first });
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, number) =>
      (number % 2 === 0 ? first : second).ask('POST', '/auth/register', { body: ANN }),
    ),
  );
  assert.deepEqual(
    answers.map(({ status }) => status).sort(),
    [201, ...Array.from({ length: 11 }, () => 409)],
    JSON.stringify(answers.map(({ body }) => body)),
  );
  assert.equal(await first.store.raw('accounts').countDocuments({ login: ANN.email }), 1);
  assert.equal(await first.store.raw('users').countDocuments(), 1);
  assert.equal(typeof (await logIn(second)), 'string');
});

test('what is no registration is 400 with the field, and changes nothing', async (t) => {
  const { ask, store } = await serveAccounts(t);
  const cases: readonly [object, string][] = [
    [{ ...ANN, email: 'ann' }, 'body.email'],
    [{ ...ANN, email: 'ann@example.org\u200b' }, 'body.email'],
    [{ ...ANN, email: 'a@b@c' }, 'body.email'],
    [{ ...ANN, email: { $ne: null } }, 'body.email'],
    [{ ...ANN, password: 'seven77' }, 'body.password'],
    // Seven characters of two code units each.
    [{ ...ANN, password: '\u{1F3CB}'.repeat(7) }, 'body.password'],
    [{ ...ANN, password: 'x'.repeat(1_025) }, 'body.password'],
    [{ ...ANN, password: '\u00e9'.repeat(513) }, 'body.password'],
    [{ ...ANN, password: 'lone\ud800surrogate' }, 'body.password'],
    [{ ...ANN, password: { $gt: '' } }, 'body.password'],
    [{ ...ANN, name: '' }, 'body.name'],
    [{ ...ANN, role: 'admin' }, 'body.role'],
    [{ ...ANN, userId: 'somebody' }, 'body.userId'],
    [{ ...ANN, isDisabled: false }, 'body.isDisabled'],
  ];
  for (const [body, field] of cases) {
    const answer = await ask('POST', '/auth/register', { body });
    assert.equal(answer.status, 400, JSON.stringify(body).slice(0, 100));
    const [error] = answer.body['errors'] as { field: string }[];
    assert.equal(error?.field, field, JSON.stringify(answer.body));
  }
  assert.equal(await store.raw('users').countDocuments(), 0);
  assert.equal(await store.raw('accounts').countDocuments({ role: 'member' }), 0);
});

test('composed and decomposed characters are one e-mail address and one password', async (t) => {
  const { ask } = await serveAccounts(t);
  const person = { email: 'jose\u0301@example.org', password: 'cafe\u0301 cafe\u0301', name: 'J' };
  assert.equal((await ask('POST', '/auth/register', { body: person })).status, 201);
  const composed = { email: 'jos\u00e9@EXAMPLE.org', password: 'caf\u00e9 caf\u00e9' };
  assert.equal((await ask('POST', '/auth/login', { body: composed })).status, 200);
});

test('an unknown address, a wrong password and a disabled account get the same answer', async (t) => {
  const served = await serveAccounts(t);
  const { ask } = served;
  await served.tokenOf('ann@example.org');
  await served.tokenOf('ben@example.org');
  const admin = await served.tokenOf('root@example.org', 'admin');
  const { body } = await ask('GET', '/accounts', { token: admin });
  const ben = (body['accounts'] as { id: string; email?: string }[]).find(
    (account) => account.email === 'ben@example.org',
  );
  await ask('PATCH', `/accounts/${ben?.id ?? ''}`, { token: admin, body: { isDisabled: true } });
  const answers = [];
  for (const [email, password] of [
    ['nobody@example.org', PASSWORD],
    ['ann@example.org', 'wrong password'],
    ['ben@example.org', PASSWORD],
    ['cron', CRON_SECRET],
    ['no address', PASSWORD],
  ] as const) {
    const answer = await ask('POST', '/auth/login', { body: { email, password } });
    answers.push({ status: answer.status, body: answer.body });
  }
  assert.equal(answers[0]?.status, 401);
  assert.equal(answers[0].body['code'], 'invalid_credentials');
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
});

test('a log-out ends one token in every process, a new password ends all of them', async (t) => {
  const first = await serveAccounts(t);
  const second = await serveAccounts(t, { beside: first });
  await first.ask('POST', '/auth/register', { body: ANN });
  const [one, other] = [await logIn(first), await logIn(second)];
  const status = async (served: ServedAccounts, token: string) =>
    (await served.ask('GET', '/auth/me', { token })).status;
  assert.equal((await first.ask('POST', '/auth/logout', { token: one })).status, 204);
  assert.deepEqual(
    [
      await status(first, one),
      await status(second, one),
      await status(first, other),
      await status(second, other),
    ],
    [401, 401, 200, 200],
  );
  assert.equal((await first.ask('POST', '/auth/logout', { token: one })).status, 401);
  const change = (current: string, token: string) =>
    second.ask('POST', '/auth/password', { token, body: { current, password: 'another word' } });
  assert.equal((await change('not this one', other)).status, 401);
  assert.equal((await change(PASSWORD, other)).status, 204);
  assert.deepEqual([await status(first, other), await status(second, other)], [401, 401]);
  const { body } = await first.ask('POST', '/auth/login', {
    body: { email: ANN.email, password: 'another word' },
  });
  assert.equal(await status(second, String(body['token'])), 200);
});

test('more log-outs than an account remembers end every token of it, and never bring one back', async (t) => {
  const served = await serveAccounts(t);
  const { accounts, ask } = served;
  await ask('POST', '/auth/register', { body: ANN });
  const token = await logIn(served);
  const [account] = (await accounts.list('', 10)).filter(({ role }) => role === 'member');
  assert.ok(account !== undefined);
  assert.equal((await ask('POST', '/auth/logout', { token })).status, 204);
  const { _id: accountId, pseudonym } = account;
  const caller = { accountId, pseudonym, role: 'member', via: 'bearer' } as const;
  for (let count = 0; count < 100; count += 1)
    await accounts.signOut({ ...caller, credentialId: `token-${count}` });
  assert.equal((await ask('GET', '/auth/me', { token })).status, 401);
  const { revoked } = await accounts.find(account._id);
  assert.ok((revoked?.length ?? 0) <= 100, `${revoked?.length} are remembered`);
});

test('a role that was changed or an account that was disabled counts with the next request', async (t) => {
  const first = await serveAccounts(t);
  const second = await serveAccounts(t, { beside: first });
  const admin = await first.tokenOf('root@example.org', 'admin');
  const token = await first.tokenOf('vera@example.org', 'viewer');
  const vera = (await first.accounts.list('', 10)).find(
    ({ email }) => email === 'vera@example.org',
  );
  const path = `/accounts/${vera?._id ?? ''}`;
  const users = async () => (await second.ask('GET', '/users', { token })).status;
  const create = async () =>
    (await second.ask('POST', '/users', { token, body: { id: 'x' } })).status;
  assert.deepEqual([await users(), await create()], [200, 403]);
  await first.ask('PATCH', path, { token: admin, body: { role: 'admin' } });
  assert.deepEqual([await users(), await create()], [200, 201]);
  await first.ask('PATCH', path, { token: admin, body: { role: 'viewer' } });
  assert.equal(await create(), 403);
  const wrong = await first.ask('PATCH', path, { token: admin, body: { role: 'service' } });
  assert.deepEqual([wrong.status, wrong.body['code']], [409, 'role_of_service']);
  await first.ask('PATCH', path, { token: admin, body: { isDisabled: true } });
  assert.equal(await users(), 401);
  await first.ask('PATCH', path, { token: admin, body: { isDisabled: false } });
  assert.equal(await users(), 401, 'a token from before stays ended');
  const { body } = await first.ask('GET', '/auth/me', { token: admin });
  const own = await first.ask('PATCH', `/accounts/${String(body['id'])}`, {
    token: admin,
    body: { isDisabled: true },
  });
  assert.deepEqual([own.status, own.body['code']], [409, 'own_account']);
});

test('of many requests for the first administrator in two processes exactly one succeeds', async (t) => {
  const first = await serveAccounts(t);
  const second = await serveAccounts(t, { beside: first });
  const bootstrap = (served: ServedAccounts, number: number, token?: string) =>
    served.ask('POST', '/bootstrap/admin', {
      token,
      body: { email: `root${number}@example.org`, password: PASSWORD, name: 'Root' },
    });
  assert.equal((await bootstrap(first, 0)).status, 401);
  assert.equal((await bootstrap(first, 0, `${BOOTSTRAP_SECRET}x`)).status, 401);
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, number) =>
      bootstrap(number % 2 === 0 ? first : second, number, BOOTSTRAP_SECRET),
    ),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [
    201,
    ...Array.from({ length: 7 }, () => 409),
  ]);
  const made = answers.findIndex(({ status }) => status === 201);
  const token = await logIn(second, { ...ANN, email: `root${made}@example.org` });
  assert.equal((await first.ask('GET', '/accounts', { token })).status, 200);
});

test('the token endpoint takes JSON and forms, both grants, and answers errors as RFC 6749 says', async (t) => {
  const { ask } = await serveAccounts(t);
  await ask('POST', '/auth/register', { body: ANN });
  const grant = `grant_type=password&username=ann%40example.org&password=${PASSWORD}`;
  const body = { grant_type: 'password', username: ANN.email, password: PASSWORD };
  for (const options of [{ form: grant }, { form: `${grant}&scope=` }, { body }]) {
    const answer = await ask('POST', '/oauth/token', options);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.deepEqual([answer.body['token_type'], answer.body['expires_in']], ['Bearer', 1_800]);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.equal(answer.headers.get('set-cookie'), null);
  }
  assert.equal(
    (await ask('POST', '/auth/login', { form: `email=ann%40example.org&password=${PASSWORD}` }))
      .status,
    200,
  );
  const basic = Buffer.from(`cron:${CRON_SECRET}`).toString('base64');
  const client = await ask('POST', '/oauth/token', {
    form: 'grant_type=client_credentials',
    headers: { authorization: `Basic ${basic}` },
  });
  assert.equal(client.status, 200, JSON.stringify(client.body));
  for (const [form, status, error] of [
    [`${grant}x`, 400, 'invalid_grant'],
    ['grant_type=client_credentials&client_id=cron&client_secret=no', 401, 'invalid_client'],
    ['grant_type=refresh_token', 400, 'unsupported_grant_type'],
    ['scope=x', 400, 'invalid_request'],
    ['grant_type=password&username=ann%40example.org', 400, 'invalid_request'],
    ['grant_type=client_credentials&client_id=cron', 400, 'invalid_request'],
    [`${grant}&password=other`, 400, undefined],
    ['grant_type=password&username[$ne]=x&password[$gt]=', 400, undefined],
    ['grant_type=password&__proto__=x', 400, undefined],
  ] as const) {
    const answer = await ask('POST', '/oauth/token', { form });
    assert.deepEqual([answer.status, answer.body['error']], [status, error], form);
  }
});

test('the secret of cron is replaced in its file without a restart, and the one before it stays valid', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fit-cron-'));
  t.after(() => rm(folder, { recursive: true }));
  const cronSecretFile = join(folder, 'cron-secret');
  const write = (secret: string) => writeFile(cronSecretFile, `${secret}\n`, { mode: 0o600 });
  await write(CRON_SECRET);
  const first = await serveAccounts(t, { cronSecretFile });
  const second = await serveAccounts(t, { beside: first, cronSecretFile });
  const status = async ({ ask }: ServedAccounts, client_secret: string) =>
    (
      await ask('POST', '/oauth/token', {
        body: { grant_type: 'client_credentials', client_id: 'cron', client_secret },
      })
    ).status;
  assert.deepEqual([await status(first, CRON_SECRET), await status(first, 'x')], [200, 401]);
  const renewed = Array.from(CRON_SECRET).reverse().join('');
  assert.equal(await status(first, renewed), 401);
  await write(renewed);
  assert.deepEqual(
    [await status(second, renewed), await status(first, renewed), await status(first, CRON_SECRET)],
    [200, 200, 200],
  );
});

test('an administrator makes a service and renews its secret', async (t) => {
  const served = await serveAccounts(t);
  const { ask } = served;
  const admin = await served.tokenOf('root@example.org', 'admin');
  const made = await ask('POST', '/accounts', {
    token: admin,
    body: { role: 'service', name: 'importer' },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { id } = made.body['account'] as { id: string };
  const tokenOf = (client_secret: unknown) =>
    ask('POST', '/oauth/token', {
      body: { grant_type: 'client_credentials', client_id: 'importer', client_secret },
    });
  assert.equal((await tokenOf(made.body['secret'])).status, 200);
  const renewed = await ask('POST', `/accounts/${id}/secret`, { token: admin });
  assert.equal(renewed.status, 201);
  assert.equal((await tokenOf(renewed.body['secret'])).status, 200);
  assert.equal((await tokenOf(made.body['secret'])).status, 200, 'for an hour');
  await ask('POST', `/accounts/${id}/secret`, { token: admin });
  assert.equal((await tokenOf(made.body['secret'])).status, 401, 'only the last two');
  const twice = await ask('POST', '/accounts', {
    token: admin,
    body: { role: 'service', name: 'importer' },
  });
  assert.deepEqual([twice.status, twice.body['code']], [409, 'account_exists']);
  const person = await ask('POST', '/accounts', {
    token: admin,
    body: { role: 'service', name: 'ann@example.org' },
  });
  assert.equal(person.status, 400, 'a service cannot have the login of a person');
});

test('a Basic header is decoded as a form, and one without a colon is none', async (t) => {
  const served = await serveAccounts(t);
  const secret = 'a secret of 32 characters + more';
  const account = (await served.accounts.createService('importer')).account;
  const hash = createHash('sha256').update(secret).digest('base64url');
  await served.store
    .raw('accounts')
    .updateOne({ _id: account._id }, { $set: { secrets: [{ hash, until: null }] } });
  const grant = async (credentials: string) =>
    await served.ask('POST', '/oauth/token', {
      form: 'grant_type=client_credentials',
      headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
    });
  assert.equal(
    (await grant(`importer:${new URLSearchParams({ secret }).toString().slice(7)}`)).status,
    200,
  );
  const bare = await grant('importer');
  assert.deepEqual([bare.status, bare.body['error']], [400, 'invalid_request']);
});

test('the log-out of a token leaves the cookie beside it alone', async (t) => {
  const { ask, tokenOf } = await serveAccounts(t);
  const token = await tokenOf('ann@example.org');
  const out = await ask('POST', '/auth/logout', { token, headers: { cookie: 'fit_session=x' } });
  assert.deepEqual([out.status, out.headers.get('set-cookie')], [204, null]);
});

test('administrators who disable each other at the same time leave one enabled', async (t) => {
  const first = await serveAccounts(t);
  const second = await serveAccounts(t, { beside: first });
  const people = ['ann@example.org', 'ben@example.org'];
  for (let round = 0; round < 4; round += 1) {
    const tokens = await Promise.all(people.map((email) => first.tokenOf(email, 'admin')));
    const ids = people.map((email) =>
      first.store
        .raw('accounts')
        .findOne({ email })
        .then((found) => String(found?._id)),
    );
    const [ann, ben] = await Promise.all(ids);
    const body = round % 2 === 0 ? { isDisabled: true } : { role: 'viewer' };
    const answers = await Promise.all([
      first.ask('PATCH', `/accounts/${ben ?? ''}`, { token: tokens[0], body }),
      second.ask('PATCH', `/accounts/${ann ?? ''}`, { token: tokens[1], body }),
    ]);
    for (const { status, body: problem } of answers)
      if (status === 409) assert.equal(problem['code'], 'last_admin');
    const admins = first.store.raw('accounts');
    assert.ok((await admins.countDocuments({ role: 'admin', isDisabled: false })) >= 1);
    await admins.updateMany(
      { email: { $in: people } },
      { $set: { role: 'admin', isDisabled: false } },
    );
  }
});

test('a log-out counts in its process also if the database does not answer any more', async (t) => {
  const served = await serveAccounts(t);
  const token = await served.tokenOf('ann@example.org');
  const { ask, connection } = served;
  assert.equal((await ask('GET', '/auth/me', { token })).status, 200);
  assert.equal((await ask('POST', '/auth/logout', { token })).status, 204);
  await connection.close();
  assert.notEqual(typeof (await served.identify(token).catch(() => 'refused')), 'object');
});

test('of two simultaneous renewals each secret that is handed out works', async (t) => {
  const served = await serveAccounts(t);
  const { accounts, ask } = served;
  const { account } = await accounts.createService('importer');
  const token = await served.tokenOf('root@example.org', 'admin');
  for (let round = 0; round < 6; round += 1) {
    const renewals = await Promise.all(
      [1, 2].map(() => ask('POST', `/accounts/${account._id}/secret`, { token })),
    );
    assert.ok(renewals.some(({ status }) => status === 201));
    for (const { status, body } of renewals)
      if (status === 201) {
        const grant = { grant_type: 'client_credentials', client_id: 'importer' };
        const client_secret = body['secret'];
        const granted = await ask('POST', '/oauth/token', { body: { ...grant, client_secret } });
        assert.equal(granted.status, 200);
      } else assert.deepEqual([status, body['code']], [409, 'secret_renewed']);
  }
});

test('the secret of cron is that of its file: a wrong guess changes nothing, and no route renews it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fit-cron-'));
  t.after(() => rm(folder, { recursive: true }));
  const cronSecretFile = join(folder, 'cron-secret');
  await writeFile(cronSecretFile, `${CRON_SECRET}\n`, { mode: 0o600 });
  const served = await serveAccounts(t, { cronSecretFile });
  const { accounts, ask } = served;
  const before = await accounts.find('cron');
  await writeFile(cronSecretFile, `${Array.from(CRON_SECRET).reverse().join('')}\n`);
  const guess = { grant_type: 'client_credentials', client_id: 'cron', client_secret: 'guess' };
  assert.equal((await ask('POST', '/oauth/token', { body: guess })).status, 401);
  assert.deepEqual(await accounts.find('cron'), before);
  const token = await served.tokenOf('root@example.org', 'admin');
  const { status, body } = await ask('POST', '/accounts/cron/secret', { token });
  assert.deepEqual([status, body['code']], [409, 'secret_in_file']);
});

test('a closed registration is 403; a member of an existing user gets that user', async (t) => {
  const served = await serveAccounts(t, { isRegistrationOpen: false });
  const { ask } = served;
  const closed = await ask('POST', '/auth/register', { body: ANN });
  assert.deepEqual([closed.status, closed.body['code']], [403, 'registration_closed']);
  const admin = await served.tokenOf('root@example.org', 'admin');
  const user = await ask('POST', '/users', { token: admin, body: { id: 'ann' } });
  assert.deepEqual(
    [user.status, user.body['level'], user.body['equipment']],
    [201, 'beginner', []],
    'a user needs no more than an id',
  );
  const made = await ask('POST', '/accounts', {
    token: admin,
    body: { role: 'member', ...ANN, userId: 'ann' },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const token = await logIn(served);
  assert.equal((await ask('GET', '/users/ann', { token })).status, 200);
});

test('a registration that ended before its profile was stored is completed by the next log-in', async (t) => {
  const served = await serveAccounts(t);
  const { ask, store } = served;
  const { body } = await ask('POST', '/auth/register', { body: ANN });
  const userId = String(body['userId']);
  await store.raw('users').deleteOne({ _id: userId });
  await store.raw('accounts').updateOne({ login: ANN.email }, { $set: { needsProfile: true } });
  const token = await logIn(served);
  assert.equal((await ask('GET', `/users/${userId}`, { token })).status, 200);
});
