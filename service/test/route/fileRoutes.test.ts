/** Goal: files have strict security headers, are revalidated by ETag, and are read-only. Method: a real server. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createApp, fileRoutes, listen } from '@fit/service';

const HTML = {
  type: 'text/html; charset=utf-8',
  content: Buffer.from('<!doctype html><title>é</title>'),
};
const SCRIPTS = ['/page/one.js', '/page/two.js'].map((path) => ({
  path,
  type: 'text/javascript; charset=utf-8',
  content: Buffer.from(`// ${path}`),
}));
const ROUTES = fileRoutes([{ path: '/', ...HTML }, ...SCRIPTS]);

async function serve(t: TestContext): Promise<string> {
  const app = createApp({
    routes: ROUTES,
    onRequest: () => undefined,
    onDefect: (error) => {
      assert.ifError(error);
    },
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  return server.url;
}

test('a page may load only its own origin, may not be framed, and its type is not guessed', async (t) => {
  const { headers, status } = await fetch(await serve(t));
  assert.equal(status, 200);
  assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
  const policy = headers.get('content-security-policy')?.split(';') ?? [];
  for (const part of [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ])
    assert.ok(policy.includes(part), part);
  assert.doesNotMatch(policy.join(), /unsafe|\*|data:|https?:/);
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  for (const [name, value] of [
    ['referrer-policy', 'no-referrer'],
    ['x-frame-options', 'DENY'],
    ['cross-origin-opener-policy', 'same-origin'],
    ['cross-origin-resource-policy', 'same-origin'],
    ['strict-transport-security', null],
  ] as const)
    assert.equal(headers.get(name), value, name);
});

test('a client that has the file gets 304, for every form of If-None-Match', async (t) => {
  const url = await serve(t);
  const etag = (await fetch(url)).headers.get('etag') ?? '';
  assert.match(etag, /^"[\w-]{22}"$/);
  for (const tag of [etag, `W/${etag}`, `"x", ${etag}`]) {
    // As a browser revalidates; without this header fetch sends `no-cache`, which asks for the whole file.
    const headers = { 'if-none-match': tag, 'cache-control': 'max-age=0' };
    const response = await fetch(url, { headers });
    assert.deepEqual([response.status, await response.text()], [304, '']);
  }
  assert.equal((await fetch(url, { headers: { 'if-none-match': '"old"' } })).status, 200);
});

test('GET and HEAD are answered, methods that change something are refused', async (t) => {
  const url = await serve(t);
  const head = await fetch(url, { method: 'HEAD' });
  assert.deepEqual(
    [head.status, head.headers.get('content-length'), await head.text()],
    [200, '32', ''],
  );
  const json = { headers: { 'content-type': 'application/json' }, body: '{}' };
  for (const method of ['POST', 'PUT', 'DELETE'])
    assert.equal((await fetch(url, { method, ...json })).status, 405, method);
});

test('the files of a folder share a route, and any other name is 404', async (t) => {
  const url = await serve(t);
  assert.deepEqual(
    ROUTES.map(({ paths }) => paths),
    [['/'], ['/page/:name']],
  );
  for (const { path, content } of SCRIPTS)
    assert.equal(await (await fetch(url + path)).text(), content.toString());
  for (const path of ['/page/three.js', '/page/', '/page/..%2Fone.js', '/one.js', '/page/toString'])
    assert.equal((await fetch(url + path)).status, 404, path);
});
