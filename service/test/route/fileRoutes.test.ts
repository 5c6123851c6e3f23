/** Goal: files come with a strict policy, are revalidated, and are read only. Method: a real server. */
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

test('nothing foreign may be loaded, framed, sniffed or told', async (t) => {
  const { headers, status } = await fetch(await serve(t));
  assert.equal(status, 200);
  assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
  const policy = headers.get('content-security-policy')?.split('; ') ?? [];
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
  assert.equal(headers.get('referrer-policy'), 'no-referrer');
});

test('who has it is told so: 304, in every spelling of the tag', async (t) => {
  const url = await serve(t);
  const etag = (await fetch(url)).headers.get('etag') ?? '';
  assert.match(etag, /^"[\w-]{22}"$/);
  for (const tag of [etag, `W/${etag}`, `"x", ${etag}`]) {
    // Without a cache mode of its own fetch would answer from the cache in place of 304.
    const response = await fetch(url, { headers: { 'if-none-match': tag }, cache: 'no-store' });
    assert.deepEqual([response.status, await response.text()], [304, '']);
  }
  assert.equal((await fetch(url, { headers: { 'if-none-match': '"old"' } })).status, 200);
});

test('GET and HEAD, and nothing that changes anything', async (t) => {
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

test('the files of a folder share a route, and what is not among them is not there', async (t) => {
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
