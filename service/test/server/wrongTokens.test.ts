/** Goal: a burst of wrong tokens is refused with 429, reported once with its address, and locks nobody out. Method: a real server; an injected clock. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  WRONG_TOKEN_ADDRESSES,
  WRONG_TOKEN_LIMIT,
  WRONG_TOKEN_WINDOW_MS,
  type WrongTokenBurst,
  WrongTokens,
} from '../../src/server/wrongTokens.ts';
import { acceptToken } from '../support/acceptToken.ts';
import { serveAdminRoute } from '../support/serveAdminRoute.ts';

const TOKEN = 'a-token-of-more-than-thirty-two-characters';

test('wrong tokens beyond the limit are 429 with Retry-After and reported once; the right token is accepted', async (t) => {
  const bursts: WrongTokenBurst[] = [];
  const url = await serveAdminRoute(t, {
    authenticate: acceptToken(TOKEN),
    onWrongTokens: (burst) => bursts.push(burst),
  });
  const ask = async (token: string) => {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': `10.0.0.${bursts.length}` },
    });
    await response.text();
    return { status: response.status, retryAfter: response.headers.get('retry-after') };
  };
  for (let count = 0; count < WRONG_TOKEN_LIMIT; count += 1)
    assert.equal((await ask(`wrong-${count}`)).status, 401);
  for (let count = 0; count < 10; count += 1) {
    const { status, retryAfter } = await ask(`wrong-again-${count}`);
    assert.equal(status, 429);
    assert.ok(Number(retryAfter) >= 1 && Number(retryAfter) <= 60, String(retryAfter));
  }
  assert.deepEqual(bursts, [{ address: '127.0.0.1', count: WRONG_TOKEN_LIMIT + 1 }]);
  assert.equal((await ask(TOKEN)).status, 200);
  assert.equal((await fetch(url)).status, 401, 'no token is no wrong token');
});

test('each window counts from 0 and reports one burst', () => {
  let nowMs = 0;
  const bursts: WrongTokenBurst[] = [];
  const wrong = new WrongTokens(
    (burst) => bursts.push(burst),
    () => nowMs,
  );
  for (const window of [1, 2]) {
    for (let count = 0; count < WRONG_TOKEN_LIMIT; count += 1)
      assert.equal(wrong.count('::1'), undefined);
    nowMs += 1_000;
    assert.equal(wrong.count('::1'), 59);
    assert.equal(wrong.count('::1'), 59);
    assert.equal(bursts.length, window);
    nowMs += WRONG_TOKEN_WINDOW_MS;
  }
});

test('the number of counted addresses is bounded', () => {
  const wrong = new WrongTokens(() => undefined);
  for (let count = 0; count < 3 * WRONG_TOKEN_ADDRESSES; count += 1) wrong.count(`10.0.0.${count}`);
  assert.equal(wrong.addressCount, WRONG_TOKEN_ADDRESSES);
});
