/**
 * Goal: passwords cannot be tried without end, in however many processes and at however many addresses. Method: two processes' limits over
 * one database on the real server; the end of a window by moving it in the database.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '@fit/service';
import { SignInLimits } from '../../src/accounts/store/signInLimits.ts';
import {
  BOOTSTRAP_SECRET,
  CRON_SECRET,
  PASSWORD,
  serveAccounts,
} from '../support/serveAccounts.ts';

async function open(t: Parameters<typeof serveAccounts>[0]) {
  const first = await serveAccounts(t);
  const second = await serveAccounts(t, { beside: first });
  const limits = [first, second].map(({ connection }) => new SignInLimits(connection.database));
  return { first, second, limits };
}

/** @returns how many of these attempts are let through. */
async function countAllowed(attempts: readonly Promise<void>[]): Promise<number> {
  const results = await Promise.allSettled(attempts);
  for (const result of results)
    if (result.status === 'rejected') {
      assert.ok(result.reason instanceof Problem, String(result.reason));
      assert.equal(result.reason.options.code, 'too_many_attempts');
      assert.ok((result.reason.options.retryAfterSeconds ?? 0) >= 1);
    }
  return results.filter(({ status }) => status === 'fulfilled').length;
}

test('simultaneous attempts in two processes pass the limit of an account and address exactly', async (t) => {
  const { limits } = await open(t);
  const attempts = Array.from({ length: 40 }, (_, number) =>
    (limits[number % 2] ?? assert.fail()).beginLogIn('ann@example.org', '10.0.0.1'),
  );
  assert.equal(await countAllowed(attempts), 10);
});

test('wrong passwords are 429 after ten, in both processes; another account and the right password are not', async (t) => {
  const { first, second } = await open(t);
  await first.tokenOf('ann@example.org');
  await first.tokenOf('ben@example.org');
  const logIn = async (served: typeof first, email: string, password: string) => {
    const { status, headers } = await served.ask('POST', '/auth/login', {
      body: { email, password },
    });
    if (status === 429) assert.ok(Number(headers.get('retry-after')) > 0);
    return status;
  };
  for (let count = 0; count < 9; count += 1)
    assert.equal(await logIn(count % 2 === 0 ? first : second, 'ann@example.org', 'wrong'), 401);
  assert.equal(await logIn(second, 'ann@example.org', PASSWORD), 200, 'which counts from 0 again');
  for (let count = 0; count < 10; count += 1)
    assert.equal(await logIn(first, 'ANN@example.org', 'wrong'), 401);
  assert.equal(await logIn(second, 'ann@example.org', PASSWORD), 429);
  assert.equal(await logIn(second, 'ben@example.org', PASSWORD), 200);
  // The window ends.
  const past = { $set: { expiresAt: new Date(Date.now() - 1_000) } };
  await first.store.db.collection('signInLimits').updateMany({}, past);
  // A process that has refused nothing asks the database.
  const third = await serveAccounts(t, { beside: first });
  assert.equal(await logIn(third, 'ann@example.org', PASSWORD), 200);
});

test('an address that is refused locks no account for others, and costs neither documents nor statements', async (t) => {
  const { first, limits } = await open(t);
  const counters = first.store.db.collection('signInLimits');
  const [one] = limits;
  assert.ok(one !== undefined);
  const login = 'ann@example.org';
  for (let round = 0; round < 6; round += 1)
    await countAllowed(Array.from({ length: 25 }, () => one.beginLogIn(login, '10.0.0.1')));
  assert.equal(await countAllowed([one.beginLogIn(login, '10.0.0.2')]), 1, 'from elsewhere');
  const guesses = (from: number) =>
    Array.from({ length: 100 }, (_, number) =>
      one.beginLogIn(`user${from + number}@example.org`, '10.0.1.1'),
    );
  assert.equal(await countAllowed([...guesses(0), ...guesses(100)]), 120);
  // One counter of the address, two of each account that was let through, and those of the attempts before.
  assert.equal(await counters.countDocuments(), 1 + 2 * 120 + 5);
  await counters.deleteMany({});
  assert.equal(await countAllowed(guesses(200)), 0, 'is remembered');
  assert.equal(await countAllowed([one.beginLogIn(login, '10.0.0.1')]), 0, 'is remembered');
  assert.equal(await counters.countDocuments(), 0);
});

test('simultaneous right log-ins are asked to wait for seconds, and succeed then', async (t) => {
  const { first } = await open(t);
  const body = { email: 'ann@example.org', password: PASSWORD };
  await first.tokenOf(body.email);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => first.ask('POST', '/auth/login', { body })),
  );
  for (const { status, headers } of answers)
    if (status === 429) assert.ok(Number(headers.get('retry-after')) <= 5, 'not for the window');
    else assert.equal(status, 200);
  assert.equal((await first.ask('POST', '/auth/login', { body })).status, 200);
});

test('what is no e-mail address is counted for the address alone', async (t) => {
  const { first } = await open(t);
  const body = { email: 'cron', password: PASSWORD };
  assert.equal((await first.ask('POST', '/auth/login', { body })).status, 401);
  assert.equal(await first.store.db.collection('signInLimits').countDocuments(), 1);
});

test('wrong secrets lock neither a service nor the first administrator out', async (t) => {
  const { first } = await open(t);
  const logIn = (client_secret: string) =>
    first.ask('POST', '/oauth/token', {
      body: { grant_type: 'client_credentials', client_id: 'cron', client_secret },
    });
  const wrong = await Promise.all(Array.from({ length: 110 }, () => logIn('wrong')));
  assert.equal(wrong.filter(({ status }) => status === 401).length, 30);
  assert.equal(wrong.filter(({ status }) => status === 429).length, 80);
  assert.equal((await logIn(CRON_SECRET)).status, 200);
  const bootstrap = (token: string) =>
    first.ask('POST', '/bootstrap/admin', {
      token,
      body: { email: 'root@example.org', password: PASSWORD, name: 'Root' },
    });
  const guesses = await Promise.all(Array.from({ length: 40 }, () => bootstrap('wrong')));
  assert.equal(guesses.filter(({ status }) => status === 401).length, 30);
  assert.equal((await bootstrap(BOOTSTRAP_SECRET)).status, 201);
});

test('an account is protected against attempts from many addresses, an address against those for many accounts', async (t) => {
  const { limits } = await open(t);
  const [one, two] = [limits[0] ?? assert.fail(), limits[1] ?? assert.fail()];
  const fromMany = Array.from({ length: 110 }, (_, number) =>
    (number % 2 === 0 ? one : two).beginLogIn('ann@example.org', `10.0.0.${number}`),
  );
  assert.equal(await countAllowed(fromMany), 100);
  const forMany = Array.from({ length: 130 }, (_, number) =>
    (number % 2 === 0 ? one : two).beginLogIn(`user${number}@example.org`, '10.0.1.1'),
  );
  assert.equal(await countAllowed(forMany), 120);
  const registrations = Array.from({ length: 105 }, () => two.beginRegistration('10.0.1.2'));
  assert.equal(await countAllowed(registrations), 100);
});

test('the counters hold no e-mail address and expire by themselves', async (t) => {
  const { first, limits } = await open(t);
  await limits[0]?.beginLogIn('ann@example.org', '10.0.0.1');
  const counters = await first.store.db.collection('signInLimits').find().toArray();
  assert.equal(counters.length, 3);
  assert.doesNotMatch(JSON.stringify(counters), /ann/);
  const indexes = await first.store.db.collection('signInLimits').indexes();
  assert.ok(indexes.some(({ expireAfterSeconds }) => expireAfterSeconds === 0));
});
