/** Goal: a weak admin token is refused before anything starts, and not printed. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMonolithConfig } from '../src/readMonolithConfig.ts';

for (const FIT_ADMIN_TOKEN of ['x', 'x'.repeat(31), 'x'.repeat(32), 'changeme'.repeat(4)])
  test(`FIT_ADMIN_TOKEN of ${FIT_ADMIN_TOKEN.length} characters, '${FIT_ADMIN_TOKEN}', is refused`, () => {
    assert.throws(
      () => readMonolithConfig({ FIT_ADMIN_TOKEN }),
      (error: Error) => {
        assert.match(error.message, /^FIT_ADMIN_TOKEN (has|can) .*openssl rand -hex 24/);
        assert.ok(FIT_ADMIN_TOKEN.length === 1 || !error.message.includes(FIT_ADMIN_TOKEN));
        return true;
      },
    );
  });

test('an empty FIT_ADMIN_TOKEN counts as unset', () => {
  assert.equal(readMonolithConfig({ FIT_ADMIN_TOKEN: '' }).adminToken, undefined);
});
