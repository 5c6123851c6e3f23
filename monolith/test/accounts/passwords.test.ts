/** Goal: a stored hash shows nothing of its password, and checking one is bounded. Method: real hashes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '@fit/service';
import { faultOfPassword, hashPassword, isPassword } from '../../src/accounts/passwords.ts';

test('a hash names its parameters and has a salt of its own; only its password matches', async () => {
  const [one, two] = await Promise.all([hashPassword('password123'), hashPassword('password123')]);
  assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  assert.notEqual(one, two);
  assert.deepEqual(
    [
      await isPassword('password123', one),
      await isPassword('password124', one),
      await isPassword('', one),
      await isPassword('password123', undefined),
    ],
    [true, false, false, false],
  );
});

test('a hash with other parameters is checked with its own', async () => {
  // Of `argon2id` with 16 MiB and 3 passes, by the reference implementation's format.
  const { argon2Sync } = await import('node:crypto');
  const nonce = Buffer.alloc(16, 7);
  const tag = argon2Sync('argon2id', {
    message: 'password123',
    nonce,
    memory: 8_192,
    passes: 3,
    parallelism: 1,
    tagLength: 32,
  });
  const text = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  const hash = `$argon2id$v=19$m=8192,t=3,p=1$${text(nonce)}$${text(tag)}`;
  assert.deepEqual(
    [await isPassword('password123', hash), await isPassword('other', hash)],
    [true, false],
  );
});

test('password123 is accepted; too short, too long and broken texts are not', () => {
  assert.equal(faultOfPassword('password123'), undefined);
  assert.equal(faultOfPassword('\u{1F3CB}'.repeat(8)), undefined);
  assert.equal(faultOfPassword(' '.repeat(8)), undefined);
  for (const password of ['', '1234567', 'x'.repeat(1_025), '\ud800password', 'e\u0301'.repeat(7)])
    assert.equal(typeof faultOfPassword(password), 'string', password.slice(0, 20));
});

test('more checks than a process can hold are 503 with Retry-After, and the others are answered', async () => {
  const hash = await hashPassword('password123');
  const results = await Promise.allSettled(
    Array.from({ length: 60 }, () => isPassword('password123', hash)),
  );
  const refused = results.filter((result) => result.status === 'rejected');
  assert.ok(refused.length > 0 && refused.length < 60, `${refused.length} are refused`);
  for (const { reason } of refused) {
    assert.ok(reason instanceof Problem);
    assert.deepEqual([reason.options.status, reason.options.retryAfterSeconds], [503, 1]);
  }
  for (const result of results) if (result.status === 'fulfilled') assert.ok(result.value);
});
