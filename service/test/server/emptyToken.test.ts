/** Goal: an empty or absent configured token accepts no request. Method: real servers, real requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serveAdminRoute } from '../support/serveAdminRoute.ts';

for (const [name, token] of [
  ['empty', { adminToken: '' }],
  ['absent', {}],
] as const)
  test(`a token that is ${name} opens no route, whatever the header is`, async (t) => {
    const url = await serveAdminRoute(t, token);
    for (const authorization of [undefined, '', 'Bearer', 'Bearer ', 'Bearer undefined']) {
      const headers = new Headers();
      if (authorization !== undefined) headers.set('authorization', authorization);
      const { status } = await fetch(url, { headers });
      assert.equal(status, 401, String(authorization));
    }
  });
