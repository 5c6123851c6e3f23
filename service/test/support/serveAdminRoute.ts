/** A server with one route, `GET /admin`, that only the administrator may call. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { createApp, defineRoute, listen } from '@fit/service';
import Type from 'typebox';

/** @returns the URL of the route; the server is closed when the test ends. */
export async function serveAdminRoute(
  t: TestContext,
  options: Pick<Parameters<typeof createApp>[0], 'authenticate' | 'onWrongTokens'>,
): Promise<string> {
  const app = createApp({
    ...options,
    onRequest: () => undefined,
    onDefect: (error) => {
      assert.ifError(error);
    },
    routes: [
      defineRoute({
        method: 'get',
        paths: ['/admin'],
        access: ['admin'],
        summary: 'A route of this test',
        tag: 'Test',
        reply: Type.Object({}),
        handle: () => Promise.resolve({ body: {} }),
      }),
    ],
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  return `${server.url}/admin`;
}
