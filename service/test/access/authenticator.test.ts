/**
 * Goal: the database decides with every request; while it does not answer, its last answer counts for a time. Method: stores in memory that
 * fail on demand, real tokens.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { StoreUnavailable } from '@fit/jobs';
import { Authenticator, SESSION_COOKIE, sessionIdOf } from '../../src/access/authenticator.ts';
import { KeyRing } from '../../src/access/keyRing.ts';
import type { CallerRecord, SessionDocument } from '../../src/access/store/callerStore.ts';
import type { TokenKey } from '../../src/access/store/tokenKeyStore.ts';
import { issueToken } from '../../src/access/tokens.ts';

const ANN: CallerRecord = {
  _id: 'account-1',
  pseudonym: '~ann',
  role: 'member',
  userId: 'ann',
  isDisabled: false,
  stamp: 'stamp-1',
};
const COOKIE = 'a'.repeat(43);
const HOUR_MS = 3_600_000;

async function open() {
  const keys: TokenKey[] = [];
  const keyRing = new KeyRing({
    read: () => Promise.resolve(keys),
    ensure: (key) => {
      keys.push(key);
      return Promise.resolve(keys);
    },
    replace: () => Promise.resolve(true),
  });
  const state = {
    account: ANN as CallerRecord | undefined,
    session: {
      _id: sessionIdOf(COOKIE),
      accountId: ANN._id,
      stamp: ANN.stamp,
      expiresAt: new Date(Date.now() + HOUR_MS),
    } as SessionDocument | undefined,
    isDown: false,
    isSilent: false,
    statementCount: 0,
  };
  const answer = <Value>(value: Value | undefined) => {
    state.statementCount += 1;
    if (state.isSilent) return new Promise<never>(() => undefined);
    return state.isDown
      ? Promise.reject(new StoreUnavailable('outage', new Error('down')))
      : Promise.resolve(value);
  };
  const { identify, forgetAccount, forgetSession } = new Authenticator(
    {
      findAccount: (id) => answer(id === ANN._id ? state.account : undefined),
      findSession: (id) => answer(id === sessionIdOf(COOKIE) ? state.session : undefined),
    },
    keyRing,
  );
  const token = await issueToken(keyRing, { accountId: ANN._id, stamp: ANN.stamp });
  const authorization = `Bearer ${token}`;
  return {
    state,
    byToken: () => identify({ authorization, cookie: undefined }),
    byCookie: (cookie = `${SESSION_COOKIE}=${COOKIE}`) =>
      identify({ authorization: undefined, cookie }),
    identify,
    forgetAccount,
    forgetSession,
  };
}

test('token and cookie tell role and user, and how the request was authenticated', async () => {
  const { byToken, byCookie, identify } = await open();
  const caller = await byToken();
  assert.ok(typeof caller === 'object');
  assert.deepEqual([caller.role, caller.userId, caller.via], ['member', 'ann', 'bearer']);
  const browser = await byCookie(`other=1; ${SESSION_COOKIE}=${COOKIE}; more=2`);
  assert.ok(typeof browser === 'object');
  assert.equal(browser.via, 'cookie');
  assert.equal(await byCookie('other=1'), 'none');
  for (const value of ['', 'short', `${COOKIE}x`, 'b'.repeat(43)])
    assert.equal(await byCookie(`${SESSION_COOKIE}=${value}`), 'wrong', value);
  const cookie = `${SESSION_COOKIE}=${COOKIE}`;
  const other = `${SESSION_COOKIE}=${'b'.repeat(43)}`;
  assert.equal(await byCookie(`${cookie}; ${other}`), 'wrong', 'two different sessions');
  assert.equal(typeof (await byCookie(`${cookie}; ${cookie}`)), 'object');
  assert.equal(typeof (await byCookie(`${other}; __Host-${cookie}`)), 'object', 'over TLS');
  assert.equal(await identify({ authorization: 'Bearer x', cookie }), 'wrong');
  assert.equal(await identify({ authorization: 'Basic eDp5', cookie: undefined }), 'none');
});

test('a token or session of an account that is gone, disabled, or has another stamp is wrong', async () => {
  const { state, byToken, byCookie } = await open();
  for (const account of [undefined, { ...ANN, isDisabled: true }, { ...ANN, stamp: 'stamp-2' }]) {
    state.account = account;
    assert.deepEqual([await byToken(), await byCookie()], ['wrong', 'wrong']);
  }
  state.account = { ...ANN, role: 'viewer' };
  const caller = await byToken();
  assert.ok(typeof caller === 'object');
  assert.equal(caller.role, 'viewer');
  state.account = { ...ANN, revoked: [{ id: caller.credentialId, until: new Date() }] };
  assert.equal(await byToken(), 'wrong');
  state.account = ANN;
  state.session = { ...(state.session ?? assert.fail()), expiresAt: new Date(Date.now() - 1) };
  assert.equal(await byCookie(), 'wrong');
});

test('without the database a caller whom it knew is let in, and nobody else', async () => {
  const { state, byToken, byCookie } = await open();
  state.isDown = true;
  await assert.rejects(byToken, StoreUnavailable);
  state.isDown = false;
  assert.equal(typeof (await byToken()), 'object');
  state.isDown = true;
  assert.equal(typeof (await byToken()), 'object');
  await assert.rejects(byCookie, StoreUnavailable);
  state.isDown = false;
  state.account = { ...ANN, isDisabled: true };
  assert.equal(await byToken(), 'wrong');
  state.isDown = true;
  assert.equal(await byToken(), 'wrong', 'what the database said last counts');
});

test('once the database was silent, the last answers count at once, and one statement at a time asks it', {
  timeout: 30_000,
}, async (t) => {
  const { state, byToken } = await open();
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  assert.equal(typeof (await byToken()), 'object');
  state.isSilent = true;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked = state.statementCount + 1;
  const first = byToken();
  while (state.statementCount < asked && !t.signal.aborted) await setImmediate();
  t.mock.timers.tick(2_000);
  assert.equal(typeof (await first), 'object');
  const before = state.statementCount;
  for (let count = 0; count < 20; count += 1) assert.equal(typeof (await byToken()), 'object');
  assert.equal(state.statementCount, before + 1);
  state.isSilent = false;
  nowMs = 6_000;
  state.account = { ...ANN, isDisabled: true };
  assert.equal(await byToken(), 'wrong', 'the database answers again');
});

test('a caller who was forgotten is not let in without the database, whatever was being read', async (t) => {
  const { state, byToken, byCookie, forgetAccount, forgetSession } = await open();
  const cookieHolder = await byCookie();
  assert.ok(typeof cookieHolder === 'object');
  const asked = state.statementCount + 1;
  const reading = byToken();
  while (state.statementCount < asked && !t.signal.aborted) await setImmediate();
  forgetAccount(ANN._id);
  await reading;
  state.isDown = true;
  await assert.rejects(byToken, StoreUnavailable);
  state.isDown = false;
  await byCookie();
  forgetSession(sessionIdOf(COOKIE));
  state.isDown = true;
  await assert.rejects(byCookie, StoreUnavailable);
});
