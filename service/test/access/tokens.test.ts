/**
 * Goal: only a token that FIT signed for itself, at this moment, is accepted. Method: keys in memory, and tokens that are forged in every
 * way that the header and the claims allow.
 */
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import {
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose';
import { KeyRing } from '../../src/access/keyRing.ts';
import type { TokenKey } from '../../src/access/store/tokenKeyStore.ts';
import { issueToken, verifyToken } from '../../src/access/tokens.ts';

/** The store of the keys, in memory. */
function keyStore() {
  let keys: readonly TokenKey[] = [];
  const counts = { reads: 0 };
  return {
    counts,
    get keys() {
      return keys;
    },
    read: () => {
      counts.reads += 1;
      return Promise.resolve(keys);
    },
    ensure: (key: TokenKey) => {
      if (keys.length === 0) keys = [key];
      return Promise.resolve(keys);
    },
    replace: (newestKid: string, replaced: readonly TokenKey[]) => {
      const isNewest = keys[0]?.kid === newestKid;
      if (isNewest) keys = replaced;
      return Promise.resolve(isNewest);
    },
  };
}

const ACCOUNT = { accountId: 'account-1', stamp: 'stamp-1' };
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

async function open() {
  const store = keyStore();
  const keyRing = new KeyRing(store);
  const token = await issueToken(keyRing, ACCOUNT);
  const { kid, x, d } = store.keys[0] ?? assert.fail('no key was made');
  const now = Math.floor(Date.now() / 1_000);
  const header: JWTHeaderParameters = { alg: 'EdDSA', typ: 'at+jwt', kid };
  const claims: JWTPayload = {
    iss: 'fit',
    aud: 'fit-api',
    sub: ACCOUNT.accountId,
    stamp: ACCOUNT.stamp,
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
  };
  const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x, d }, 'EdDSA');
  const sign = (changes: JWTPayload, headerChanges: object = {}) =>
    new SignJWT({ ...claims, ...changes })
      .setProtectedHeader({ ...header, ...headerChanges })
      .sign(key);
  return { store, keyRing, token, kid, x, header, claims, now, sign };
}

test('an issued token names its account, and is accepted by another process', async () => {
  const { store, keyRing, token } = await open();
  for (const ring of [keyRing, new KeyRing(store)]) {
    const claims = await verifyToken(ring, token);
    assert.deepEqual([claims?.accountId, claims?.stamp], [ACCOUNT.accountId, ACCOUNT.stamp]);
    const minutes = ((claims?.expiresAt.getTime() ?? 0) - Date.now()) / 60_000;
    assert.ok(minutes > 29 && minutes <= 30, `${minutes} minutes`);
  }
});

test('a token with another algorithm, key, issuer, audience, type or time is refused', async () => {
  const { keyRing, kid, x, header, claims, now, sign } = await open();
  assert.ok((await verifyToken(keyRing, await sign({}))) !== undefined, 'the pattern is valid');
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
  const foreign = (headerChanges: object) =>
    new SignJWT(claims).setProtectedHeader({ ...header, ...headerChanges }).sign(privateKey);
  const jwk = await exportJWK(publicKey);
  const unsigned = (alg: string) => `${encode({ ...header, alg })}.${encode(claims)}.`;
  const hmacHead = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`;
  const hmac = (secret: string | Buffer) =>
    `${hmacHead}.${createHmac('sha256', secret).update(hmacHead).digest('base64url')}`;
  const [head = '', body = '', signature = ''] = (await sign({})).split('.');
  const without = (name: string) => sign({ [name]: undefined });
  const forged: Readonly<Record<string, string>> = {
    'no algorithm': unsigned('none'),
    'no algorithm in another case': unsigned('None'),
    'HMAC with the public key': hmac(x),
    'HMAC with the bytes of the public key': hmac(Buffer.from(x, 'base64url')),
    'HMAC with an empty secret': hmac(''),
    'a foreign key under a known id': await foreign({}),
    'a foreign key in the header': await foreign({ jwk }),
    'a foreign key at an address': await foreign({ jku: 'http://127.0.0.1:1/keys' }),
    'a foreign certificate': await foreign({ x5u: 'http://127.0.0.1:1/key', x5c: ['AAAA'] }),
    'an unknown critical header': await sign({}, { crit: ['x-fit'], 'x-fit': 1 }).catch(
      () => `${encode({ ...header, crit: ['x-fit'], 'x-fit': 1 })}.${body}.${signature}`,
    ),
    'a changed claim': `${head}.${encode({ ...claims, sub: 'first-admin' })}.${signature}`,
    'a changed header': `${encode({ ...header, extra: 1 })}.${body}.${signature}`,
    'no signature': `${head}.${body}.`,
    'another issuer': await sign({ iss: 'other' }),
    'another audience': await sign({ aud: 'other' }),
    'no audience': await without('aud'),
    'no subject': await without('sub'),
    'no id': await without('jti'),
    'no end': await without('exp'),
    'no beginning': await without('iat'),
    'no stamp': await without('stamp'),
    'another type': await sign({}, { typ: 'JWT' }),
    'no type': await sign({}, { typ: undefined }),
    'ended six seconds ago': await sign({ exp: now - 6 }),
    'valid in ten seconds': await sign({ nbf: now + 10 }),
    'issued in ten seconds': await sign({ iat: now + 10, exp: now + 60 }),
    'longer than a token of FIT': await sign({ iat: now - 1_900, exp: now + 9_999 }),
    'an end that is no number': await sign({ exp: 'never' as unknown as number }),
    'a text of any kind': 'x',
    'an empty text': '',
    'too long a text': `${head}.${'a'.repeat(5_000)}.${signature}`,
  };
  for (const [name, token] of Object.entries(forged))
    assert.equal(await verifyToken(keyRing, token), undefined, name);
  for (const id of [`${kid}x`, '', '../../etc/passwd', "' or 1=1 --", '__proto__', { $ne: '' }, 7])
    assert.equal(
      await verifyToken(keyRing, await sign({}, { kid: id })),
      undefined,
      JSON.stringify(id),
    );
});

test('clocks may differ by five seconds', async () => {
  const { keyRing, now, sign } = await open();
  for (const changes of [{ exp: now - 2 }, { nbf: now + 3 }, { iat: now + 3 }])
    assert.ok((await verifyToken(keyRing, await sign(changes))) !== undefined);
});

test('two keys are valid at a time; a key that is dropped is refused', async () => {
  const { store, keyRing, token } = await open();
  // Another process that has read the keys at this moment.
  const valid = async (text: string) => (await verifyToken(new KeyRing(store), text)) !== undefined;
  assert.ok(await valid(token));
  await keyRing.rotate({ keepsPrevious: true });
  const second = await issueToken(keyRing, ACCOUNT);
  assert.deepEqual([await valid(token), await valid(second)], [true, true]);
  await keyRing.rotate({ keepsPrevious: true });
  const third = await issueToken(keyRing, ACCOUNT);
  assert.deepEqual(
    [await valid(token), await valid(second), await valid(third)],
    [false, true, true],
  );
  await keyRing.rotate({ keepsPrevious: false });
  assert.equal(store.keys.length, 1);
  assert.equal(await verifyToken(keyRing, third), undefined);
});

test('two processes that replace a key at the same time make one new key', async () => {
  const store = keyStore();
  const [one, two] = [new KeyRing(store), new KeyRing(store)];
  const [first, second] = await Promise.all([issueToken(one, ACCOUNT), issueToken(two, ACCOUNT)]);
  assert.equal(store.keys.length, 1);
  for (const token of [first, second]) assert.ok((await verifyToken(one, token)) !== undefined);
  await Promise.all([one, two].map((ring) => ring.rotate({ keepsPrevious: true })));
  assert.equal(store.keys.length, 2);
});

test('a rotation that drops the other keys is not lost when it meets another one', async () => {
  const { store, keyRing, token } = await open();
  const other = new KeyRing(store);
  await Promise.all([
    other.rotate({ keepsPrevious: true }),
    keyRing.rotate({ keepsPrevious: false }),
  ]);
  assert.equal(await verifyToken(new KeyRing(store), token), undefined);
});

test('two processes that find the key too old make one new key, and its tokens stay valid', async (t) => {
  const store = keyStore();
  const rings = [new KeyRing(store), new KeyRing(store)];
  const [one] = rings;
  await issueToken(one ?? assert.fail(), ACCOUNT);
  const [old] = store.keys;
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 31 * 86_400_000 });
  await Promise.all(rings.map((ring) => issueToken(ring, ACCOUNT)));
  assert.deepEqual([store.keys.length, store.keys[1]], [2, old]);
});

test('without the database known keys verify at once after one request has waited', {
  timeout: 30_000,
}, async (t) => {
  const { store, token } = await open();
  const state = { isDown: false, reads: 0 };
  const ring = new KeyRing({
    ...store,
    read: () => {
      state.reads += 1;
      return state.isDown ? new Promise<never>(() => undefined) : store.read();
    },
  });
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const verified = async () => (await verifyToken(ring, token)) !== undefined;
  assert.equal(await verified(), true);
  state.isDown = true;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  nowMs = 11_000;
  const first = verified();
  while (state.reads < 2 && !t.signal.aborted) await setImmediate();
  t.mock.timers.tick(2_000);
  assert.equal(await first, true, 'after two seconds');
  // No time passes here, so a request that waited for the database would never be answered.
  assert.equal(await verified(), true);
  nowMs += 6_000;
  assert.equal(await verified(), true, 'the database is asked beside it');
});

test('a key that was stored after a statement under way began is found', async () => {
  const { store, keyRing } = await open();
  await keyRing.verifier('unknown');
  const slow = Promise.withResolvers<undefined>();
  const ring = new KeyRing({
    ...store,
    read: async () => {
      const keys = store.keys;
      await slow.promise;
      return keys;
    },
  });
  const under = ring.verifier('unknown');
  await keyRing.rotate({ keepsPrevious: true });
  const { kid } = await keyRing.signer();
  const found = ring.verifier(kid);
  slow.resolve(undefined);
  assert.ok((await found) !== undefined);
  assert.equal(await under, undefined);
});

test('a key that is 30 days old is replaced by the next token', async (t) => {
  const { store, keyRing } = await open();
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 31 * 86_400_000 });
  await issueToken(keyRing, ACCOUNT);
  assert.equal(store.keys.length, 2);
  await issueToken(keyRing, ACCOUNT);
  assert.equal(store.keys.length, 2);
});

test('many simultaneous tokens with unknown keys cost one statement', async () => {
  const { store, keyRing, sign } = await open();
  await verifyToken(keyRing, await sign({}));
  const tokens = await Promise.all(
    Array.from({ length: 50 }, (_, number) => sign({}, { kid: `unknown-${number}` })),
  );
  const before = store.counts.reads;
  await Promise.all(tokens.map((token) => verifyToken(keyRing, token)));
  assert.ok(store.counts.reads - before <= 3, `${store.counts.reads - before} statements`);
});
