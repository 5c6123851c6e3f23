/** Goal: an application that cannot find out who asks opens no route. Method: a real server, real requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serveAdminRoute } from '../support/serveAdminRoute.ts';

test('without an authenticator no header opens a route that is not open', async (t) => {
  const url = await serveAdminRoute(t, {});
  for (const authorization of [undefined, '', 'Bearer', 'Bearer ', 'Bearer undefined']) {
    const headers = new Headers();
    if (authorization !== undefined) headers.set('authorization', authorization);
    const { status } = await fetch(url, { headers });
    assert.equal(status, 401, String(authorization));
  }
});
