/**
 * Goal: the audit says who changed what, in the order of time, names people by pseudonyms alone, and holds no secret. Method: a monolith's
 * routes over a real database; the stored entries are read beside the API.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Caller } from '@fit/service';
import { AccountStore } from '../../src/accounts/store/accountStore.ts';
import { Audit } from '../../src/audit/audit.ts';
import { AuditStore } from '../../src/audit/store/auditStore.ts';
import { UserStore } from '../../src/store/userStore.ts';
import { PASSWORD, serveAccounts } from '../support/serveAccounts.ts';

interface Entry {
  readonly id: string;
  readonly action: string;
  readonly who: { readonly account: string; readonly name?: string; readonly role: string };
  readonly target: Readonly<Record<string, unknown>>;
  readonly outcome: string;
  readonly status?: number;
  readonly code?: string;
}

test('entries name who did what, in pages and by filters, until the user and the account are deleted', async (t) => {
  const { ask, store, tokenOf } = await serveAccounts(t);
  const token = await tokenOf('admin@example.org', 'admin');
  const adminId = String((await ask('GET', '/auth/me', { token })).body['id']);
  for (const id of ['ann', 'ben', 'ann'])
    await ask('POST', '/users', { token, body: { id, name: 'Somebody' } });
  const eve = { role: 'operator', name: 'Eve', email: 'eve@example.org', password: PASSWORD };
  const account = (await ask('POST', '/accounts', { token, body: eve })).body['account'];
  const eveId = (account as { id: string }).id;
  await ask('PATCH', `/accounts/${eveId}`, { token, body: { password: `${PASSWORD}!` } });
  const read = async (query = '', reader = token) => {
    const { status, body } = await ask('GET', `/audit${query}`, { token: reader });
    assert.equal(status, 200, JSON.stringify(body));
    return body as unknown as { entries: readonly Entry[]; next?: string };
  };
  const { entries, next } = await read();
  assert.equal(next, undefined);
  assert.deepEqual(
    entries.toReversed().map(({ action, outcome, status, code, target }) => ({
      action,
      outcome,
      status,
      code,
      target,
    })),
    [
      { action: 'user.create', outcome: 'done', status: 201, target: { user: 'ann' } },
      { action: 'user.create', outcome: 'done', status: 201, target: { user: 'ben' } },
      { action: 'user.create', outcome: 'refused', status: 409, code: 'user_exists', target: {} },
      {
        action: 'account.create',
        outcome: 'done',
        status: 201,
        target: { account: eveId, accountRole: 'operator' },
      },
      {
        action: 'account.change',
        outcome: 'done',
        status: 200,
        target: { account: eveId, hasNewPassword: true },
      },
    ].map((entry) => ({ code: undefined, ...entry })),
  );
  for (const { who } of entries)
    assert.deepEqual(who, { account: adminId, name: 'admin@example.org', role: 'admin' });

  const paged: string[] = [];
  for (let page = await read('?limit=2'); ; page = await read(`?limit=2&after=${page.next}`)) {
    paged.push(...page.entries.map(({ id }) => id));
    if (page.next === undefined) break;
  }
  assert.deepEqual(
    paged,
    entries.map(({ id }) => id),
  );
  assert.deepEqual(paged, paged.toSorted().reverse());
  const count = async (query: string) => (await read(query)).entries.length;
  assert.equal(await count('?target=user:ann'), 1);
  assert.equal(await count('?target=user:nobody'), 0);
  assert.equal(await count(`?target=account:${eveId}&action=account.change`), 1);
  assert.equal(await count('?target=hasNewPassword:true'), 1);
  assert.equal(await count(`?account=${adminId}`), 5);
  assert.equal(await count(`?account=${eveId}`), 0);
  assert.equal(await count('?from=2100-01-01T00:00:00Z'), 0);
  assert.equal(await count('?to=2100-01-01T00:00:00Z'), 5);
  assert.equal((await ask('GET', '/audit?target=ann', { token })).status, 400);

  const viewer = await tokenOf('viewer@example.org', 'viewer');
  assert.equal((await read('', viewer)).entries[0]?.who.name, undefined);
  const stored = JSON.stringify(await store.raw('audit').find().toArray());
  for (const text of ['ann', 'Somebody', eveId, adminId, PASSWORD, '@'])
    assert.ok(!stored.includes(text), `${text} is in ${stored}`);

  await store.raw('users').deleteOne({ _id: 'ann' });
  await store.raw('accounts').deleteOne({ _id: eveId });
  const [, , , , first] = (await read()).entries;
  assert.match(String(first?.target['user']), /^~[0-9a-f]{24}$/);
  assert.equal(await count(`?target=user:${String(first?.target['user'])}`), 1);
  // A request that names somebody who does not exist makes no way back to the name.
  assert.equal(await count('?target=user:ann'), 0);
  assert.equal(await store.raw('users').countDocuments(), 1);
});

test('the id of a job that a member submitted is stored under the pseudonym of the member', async (t) => {
  const { store } = await serveAccounts(t);
  const { database, clock } = store;
  const users = new UserStore(database);
  await users.create([{ id: 'ann' }], new Date());
  const entries = new AuditStore(database);
  const audit = new Audit({ entries, users, accounts: new AccountStore(database), clock });
  const caller: Caller = {
    accountId: 'account',
    pseudonym: '~0',
    role: 'operator',
    via: 'bearer',
    credentialId: 'token',
  };
  const target = { job: 'uppercase_text:ann:1f2e' };
  const request = { action: 'job.retry', caller, target, reason: 'ann asked', requestId: '1' };
  const id = await audit.begin(request);
  const stored = JSON.stringify(await store.raw('audit').findOne({ _id: id }));
  assert.ok(!stored.includes('ann'), stored);
  const query = { target: ['job', target.job], limit: 10 } as const;
  assert.equal((await audit.list(query)).entries.length, 1);
});

test('an entry is completed once, and a page with a filter reads a bounded number of entries', async (t) => {
  const { store } = await serveAccounts(t);
  const audit = new AuditStore(store.database);
  const entry = {
    at: new Date(),
    account: '~1',
    role: 'admin',
    target: {},
    requestId: '1',
    outcome: 'begun',
  } as const;
  for (let index = 0; index < 10; index += 1)
    await audit.insert({
      ...entry,
      _id: String(index).padStart(20, '0'),
      action: index === 0 ? 'rare.one' : 'common.one',
    });
  await audit.complete('0'.repeat(20), { outcome: 'done', status: 200 });
  await audit.complete('0'.repeat(20), { outcome: 'refused', status: 409 });
  const found: string[] = [];
  let pageCount = 0;
  for (let after: string | undefined; ; pageCount += 1) {
    const page = await audit.list({ action: 'rare.one', after, limit: 5, readLimit: 4 });
    found.push(...page.entries.map(({ outcome }) => outcome));
    if (page.next === undefined) break;
    after = page.next;
  }
  assert.deepEqual(found, ['done']);
  assert.ok(pageCount >= 2, `${pageCount} pages`);
});
