/** Goal: every kind of answer has its own status and code, and no answer shows details of a defect. Method: a real server, real requests. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createApp, defineRoute, listen, Problem, type ProblemKind } from '@fit/service';
import { eventually } from '@fit/stack/testing';
import Type from 'typebox';
import { acceptToken } from '../support/acceptToken.ts';

const TOKEN = 'a-token-of-more-than-thirty-two-characters';

const AWAY: ProblemKind = {
  status: 503,
  code: 'away',
  when: 'nobody is there',
  remedy: 'Come back later.',
};

async function serve(t: TestContext): Promise<{ url: string; defects: unknown[] }> {
  const defects: unknown[] = [];
  const app = createApp({
    authenticate: acceptToken(TOKEN),
    onRequest: () => undefined,
    onDefect: (error) => defects.push(error),
    routes: [
      defineRoute({
        method: 'post',
        paths: ['/echo', '/alias'],
        access: 'open',
        summary: 'A route of this test',
        tag: 'Test',
        body: Type.Object({ count: Type.Integer({ minimum: 1 }) }, { additionalProperties: false }),
        reply: Type.Object({ count: Type.Integer() }),
        statuses: [201],
        audit: { none: 'A route of this test.' },
        handle: ({ body }) => Promise.resolve({ body }),
      }),
      defineRoute({
        method: 'post',
        paths: ['/nothing'],
        access: 'open',
        summary: 'A route of this test',
        tag: 'Test',
        body: Type.Object({}, { additionalProperties: false }),
        reply: Type.Object({}),
        statuses: [202],
        audit: { none: 'A route of this test.' },
        handle: () => Promise.resolve({ body: {} }),
      }),
      defineRoute({
        method: 'get',
        paths: ['/admin'],
        access: ['admin'],
        summary: 'A route of this test',
        tag: 'Test',
        reply: Type.Object({}),
        handle: () => Promise.resolve({ body: {} }),
      }),
      defineRoute({
        method: 'get',
        paths: ['/broken/:how'],
        access: 'open',
        summary: 'A route of this test',
        tag: 'Test',
        params: Type.Object({ how: Type.String({ maxLength: 20 }) }),
        reply: Type.Union([Type.Object({ kept: Type.Boolean() }), Type.String()]),
        problems: [AWAY],
        handle: ({ params }) => {
          if (params.how === 'throws') throw new Error('secret detail');
          if (params.how === 'away')
            throw new Problem({ ...AWAY, title: 'Away', retryAfterSeconds: 7 });
          if (params.how === 'code')
            throw new Problem({
              status: 503,
              code: 'gone',
              title: 'Away',
              detail: 'secret detail',
            });
          if (params.how === 'status')
            return Promise.resolve({ status: 202, body: { kept: true } });
          if (params.how === 'type')
            return Promise.resolve({
              headers: { 'content-type': 'text/csv' },
              body: 'kept',
            });
          return Promise.resolve({ body: { kept: 'no' as unknown as boolean } });
        },
      }),
    ],
  });
  const server = await listen(
    (request, response) => app.callback()(request, response),
    '127.0.0.1',
    0,
  );
  t.after(() => server.close());
  return { url: server.url, defects };
}

function post(url: string, body: string, type = 'application/json'): Promise<Response> {
  return fetch(url, { method: 'POST', body, headers: { 'content-type': type } });
}

test('If-None-Match means nothing to a route that states no 304', async (t) => {
  const { url } = await serve(t);
  const response = await fetch(`${url}/admin`, {
    // Without this header fetch sends `no-cache`, which asks for the whole reply.
    headers: {
      authorization: `Bearer ${TOKEN}`,
      'if-none-match': '*',
      'cache-control': 'max-age=0',
    },
  });
  assert.deepEqual([response.status, await response.json()], [200, {}]);
});

test('valid input is answered by the handler, also on the second path of the route', async (t) => {
  const { url } = await serve(t);
  for (const path of ['/echo', '/alias']) {
    const response = await post(`${url}${path}`, '{"count":3}');
    assert.equal(response.status, 201);
    assert.deepEqual(await response.json(), { count: 3 });
  }
});

test('bad input is a 400 problem that names every field and its reason', async (t) => {
  const { url } = await serve(t);
  const response = await post(`${url}/echo`, '{"count":0,"extra":1}');
  assert.equal(response.status, 400);
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
  const problem = (await response.json()) as {
    code: string;
    errors: { field: string; reason: string }[];
  };
  assert.equal(problem.code, 'invalid_input');
  assert.deepEqual(problem.errors.map(({ field }) => field).sort(), ['body.count', 'body.extra']);
  assert.ok(problem.errors.every(({ reason }) => reason.length > 3));
});

test('unknown query parameters and fields are a 400 that names them and lists the allowed ones', async (t) => {
  const { url } = await serve(t);
  const errorsOf = async (response: Response) => {
    assert.equal(response.status, 400);
    return ((await response.json()) as { errors: unknown }).errors;
  };
  const none = 'is not known; none is allowed here';
  assert.deepEqual(await errorsOf(await fetch(`${url}/broken/away?date=2026-12-05&x`)), [
    { field: 'query.date', reason: none },
    { field: 'query.x', reason: none },
  ]);
  assert.deepEqual(await errorsOf(await post(`${url}/echo?count=3`, '{"count":3}')), [
    { field: 'query.count', reason: none },
  ]);
  const unknown = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`k${index}`, 1]));
  const errors = await errorsOf(
    await post(`${url}/echo`, JSON.stringify({ count: 1, ...unknown })),
  );
  assert.deepEqual((errors as unknown[])[0], {
    field: 'body.k0',
    reason: 'is not known; allowed are count',
  });
  const long = await errorsOf(await post(`${url}/echo`, `{"count":1,"${'k'.repeat(90_000)}":1}`));
  assert.ok(JSON.stringify(long).length < 500, 'a name of any length is cut in the answer');
});

const refused: readonly [name: string, body: string, type: string, status: number, code: string][] =
  [
    ['not JSON', '{"count":', 'application/json', 400, 'invalid_json'],
    ['another media type', 'count=1', 'text/plain', 415, 'unsupported_media_type'],
    [
      'more than 100 kB',
      JSON.stringify({ count: 1, pad: 'x'.repeat(200_000) }),
      'application/json',
      413,
      'body_too_large',
    ],
    [
      'a prototype',
      '{"count":1,"__proto__":{"polluted":1}}',
      'application/json',
      400,
      'invalid_json',
    ],
  ];
for (const [name, body, type, status, code] of refused)
  test(`a body of ${name} is ${status} ${code}`, async (t) => {
    const { url } = await serve(t);
    const response = await post(`${url}/echo`, body, type);
    const problem = (await response.json()) as { code: string };
    assert.deepEqual([response.status, problem.code], [status, code]);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

test('admin routes accept the token and nothing else', async (t) => {
  const { url } = await serve(t);
  const answer = async (authorization?: string) =>
    (await fetch(`${url}/admin`, authorization === undefined ? {} : { headers: { authorization } }))
      .status;
  assert.equal(await answer(`Bearer ${TOKEN}`), 200);
  for (const scheme of ['bearer', 'BEARER', 'Bearer '])
    assert.equal(await answer(`${scheme} ${TOKEN}`), 200, scheme);
  for (const wrong of [undefined, 'Bearer ', `Bearer ${TOKEN}x`, TOKEN, `Basic ${TOKEN}`])
    assert.equal(await answer(wrong), 401, String(wrong));
});

test('a 401 names the scheme, and whether a token was wrong', async (t) => {
  const { url } = await serve(t);
  const challenge = async (headers: Record<string, string>) =>
    (await fetch(`${url}/admin`, { headers })).headers.get('www-authenticate');
  assert.equal(await challenge({}), 'Bearer realm="fit"');
  assert.equal(await challenge({ authorization: 'Basic eDp5' }), 'Bearer realm="fit"');
  assert.equal(
    await challenge({ authorization: `Bearer ${TOKEN}x` }),
    'Bearer realm="fit", error="invalid_token"',
  );
});

test('a method that a path does not have is 405 with the allowed methods; OPTIONS is 204 with them', async (t) => {
  const { url } = await serve(t);
  for (const [path, method, allow] of [
    ['/echo', 'GET', 'OPTIONS, POST'],
    ['/admin', 'POST', 'GET, HEAD, OPTIONS'],
    ['/admin', 'DELETE', 'GET, HEAD, OPTIONS'],
    ['/broken/away', 'PROPFIND', 'GET, HEAD, OPTIONS'],
  ] as const) {
    const response = await fetch(url + path, { method });
    const { code } = (await response.json()) as { code: string };
    assert.deepEqual(
      [response.status, response.headers.get('allow'), code],
      [405, allow, 'method_not_allowed'],
      `${method} ${path}`,
    );
    const options = await fetch(url + path, { method: 'OPTIONS' });
    assert.deepEqual(
      [options.status, options.headers.get('allow'), await options.text()],
      [204, allow, ''],
    );
  }
  for (const method of ['GET', 'OPTIONS', 'DELETE'])
    assert.equal((await fetch(`${url}/nowhere`, { method })).status, 404, method);
});

test('HEAD is answered like GET, without a body', async (t) => {
  const { url } = await serve(t);
  const head = async (authorization: string) => {
    const response = await fetch(`${url}/admin`, { method: 'HEAD', headers: { authorization } });
    return [response.status, await response.text()];
  };
  assert.deepEqual(await head(`Bearer ${TOKEN}`), [200, '']);
  assert.deepEqual(await head('Bearer x'), [401, '']);
});

test('a request with a content-length of 0 has no body, whatever its content-type', async (t) => {
  const { url } = await serve(t);
  // fetch declares the length, and no type unless the caller sets one.
  for (const headers of [
    {},
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/json' },
  ])
    assert.equal((await fetch(`${url}/nothing`, { method: 'POST', headers })).status, 202);
  const chunked = new ReadableStream({
    start: (controller) => {
      controller.close();
    },
  });
  const init = { method: 'POST', body: chunked, duplex: 'half' } as RequestInit;
  assert.equal(
    (await fetch(`${url}/nothing`, { ...init, headers: { 'content-type': 'application/json' } }))
      .status,
    202,
  );
});

test('an unknown charset or content encoding is 415', async (t) => {
  const { url } = await serve(t);
  for (const [headers, status, code] of [
    [{ 'content-type': 'application/json; charset=utf-16' }, 415, 'unsupported_charset'],
    [{ 'content-type': 'application/json; charset=koi8-r' }, 415, 'unsupported_charset'],
    [
      { 'content-type': 'application/json', 'content-encoding': 'zstd' },
      415,
      'unsupported_encoding',
    ],
    [{ 'content-type': 'application/json; charset=UTF-8' }, 201, undefined],
  ] as const) {
    const response = await fetch(`${url}/echo`, { method: 'POST', headers, body: '{"count":1}' });
    const answer = (await response.json()) as { code?: string };
    assert.deepEqual([response.status, answer.code], [status, code], JSON.stringify(headers));
  }
});

test('a defect and a reply that does not match its schema are 500 without detail, and are logged', async (t) => {
  const { url, defects } = await serve(t);
  for (const path of ['/broken/throws', '/broken/reply']) {
    const response = await fetch(`${url}${path}`);
    const text = await response.text();
    assert.equal(response.status, 500);
    assert.doesNotMatch(text, /secret|stack|at /);
  }
  assert.equal(defects.length, 2);
});

test('a status, media type or problem that the route does not state is 500, and is logged', async (t) => {
  const { url, defects } = await serve(t);
  const expected = {
    code: 'GET /broken/:how answered 503 gone, which it does not state',
    status: 'GET /broken/:how answered 202, which it does not state',
    type: 'GET /broken/:how answered text/csv, which it does not state',
  };
  for (const how of Object.keys(expected)) {
    const response = await fetch(`${url}/broken/${how}`);
    const text = await response.text();
    assert.equal(response.status, 500, how);
    assert.equal(response.headers.get('content-type'), 'application/problem+json', how);
    assert.doesNotMatch(text, /secret|kept/, how);
  }
  assert.deepEqual(
    defects.map((defect) => (defect as Error).message),
    Object.values(expected),
  );
});

test('a problem may have Retry-After, and an unknown path is answered with a problem', async (t) => {
  const { url } = await serve(t);
  const away = await fetch(`${url}/broken/away`);
  assert.deepEqual([away.status, away.headers.get('retry-after')], [503, '7']);
  assert.deepEqual(await away.json(), {
    type: 'about:blank',
    title: 'Away',
    status: 503,
    code: 'away',
    detail: 'Come back later.',
  });
  const missing = await fetch(`${url}/nowhere`);
  assert.equal(((await missing.json()) as { code: string }).code, 'not_found');
});

test('a chunked body of another type is refused and does not pass as an empty body', async (t) => {
  const { url } = await serve(t);
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode('count=1'));
      controller.close();
    },
  });
  const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'text/plain' } };
  const response = await fetch(`${url}/echo`, init as RequestInit);
  assert.equal(response.status, 415);
});

test('requests beyond the limit are 503 with Retry-After, and probes are still answered', async (t) => {
  const release: (() => void)[] = [];
  const app = createApp({
    requestLimit: 2,
    onRequest: () => undefined,
    onDefect: (error) => {
      assert.ifError(error);
    },
    routes: ['/held', '/livez'].map((path) =>
      defineRoute({
        method: 'get',
        paths: [path],
        access: 'open',
        summary: 'A route of this test',
        tag: 'Test',
        reply: Type.Object({}),
        handle: async () => {
          if (path === '/held') await new Promise<void>((resolve) => release.push(resolve));
          return { body: {} };
        },
      }),
    ),
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const held = [fetch(`${server.url}/held`), fetch(`${server.url}/held`)];
  await eventually(() => release.length === 2, { describe: () => `${release.length} are held` });
  const refused = await fetch(`${server.url}/held`);
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
  assert.equal((await fetch(`${server.url}/livez`)).status, 200);
  for (const resolve of release) resolve();
  for (const response of held) assert.equal((await response).status, 200);
  const again = fetch(`${server.url}/held`);
  await eventually(() => release.length === 3, { describe: () => `${release.length} are held` });
  release[2]?.();
  assert.equal((await again).status, 200);
});

test('no answer and no error may be cached, and browsers may not guess its type', async (t) => {
  const { url } = await serve(t);
  for (const path of ['/echo', '/admin', '/broken/away', '/broken/throws', '/nowhere']) {
    const { headers } = await fetch(`${url}${path}`);
    assert.equal(headers.get('cache-control'), 'no-store', path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
  }
});
