/** Goal: an empty or absent configured token accepts no request. Method: real servers, real requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp, defineRoute, listen } from '@fit/service';
import Type from 'typebox';

for (const [name, token] of [
  ['empty', { adminToken: '' }],
  ['absent', {}],
] as const)
  test(`a token that is ${name} opens no route, whatever the header is`, async (t) => {
    const app = createApp({
      ...token,
      onRequest: () => undefined,
      onDefect: (error) => {
        throw error;
      },
      routes: [
        defineRoute({
          method: 'get',
          paths: ['/admin'],
          access: 'admin',
          reply: Type.Object({}),
          handle: () => Promise.resolve({ body: {} }),
        }),
      ],
    });
    const server = await listen(app.callback(), '127.0.0.1', 0);
    t.after(() => server.close());
    for (const authorization of [undefined, '', 'Bearer', 'Bearer ', 'Bearer undefined']) {
      const headers = new Headers();
      if (authorization !== undefined) headers.set('authorization', authorization);
      const { status } = await fetch(`${server.url}/admin`, { headers });
      assert.equal(status, 401, String(authorization));
    }
  });
