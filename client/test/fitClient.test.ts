/** Goal: a request is repeated while its error is temporary, and each reason is reported once. Method: a server by hand. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { FitClient, FitRequestError, untilAccepted } from '@fit/client';
import { createApp, Health, healthRoutes, listen } from '@fit/service';

const TOKEN = { token: 'a-token-of-more-than-thirty-two-characters' };

/** Answers each request with the next status; the last one stays. */
async function serve(t: TestContext, statuses: number[]): Promise<FitClient> {
  const server = createServer((_, response) => {
    response.statusCode = (statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 500;
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return new FitClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, TOKEN);
}

test('a request is repeated while the monolith is unavailable, and the reason is reported once', async (t) => {
  const client = await serve(t, [503, 503, 202]);
  const lines: string[] = [];
  await untilAccepted(() => client.generateWods(), { onProgress: (line) => lines.push(line) });
  assert.deepEqual(lines, [
    'the monolith does not accept the request yet: POST /generateWods: 503 {}',
  ]);
});

test('a refusal and a defect are final', async (t) => {
  for (const status of [422, 500]) {
    const client = await serve(t, [status]);
    const lines: string[] = [];
    await assert.rejects(
      untilAccepted(() => client.generateWods(), { onProgress: (line) => lines.push(line) }),
      (error: Error) => error instanceof FitRequestError && error.status === status,
    );
    assert.deepEqual(lines, []);
  }
});

test('without a server the last error is thrown when the time is up, or the reason of the signal', async () => {
  const client = new FitClient('http://127.0.0.1:9', TOKEN);
  await assert.rejects(
    untilAccepted(() => client.generateWods(), { waitMs: 0 }),
    /^Error: POST \/generateWods: no answer from http:\/\/127\.0\.0\.1:9$/,
  );
  const stopping = new AbortController();
  const waiting = untilAccepted(() => client.generateWods(), {
    signal: stopping.signal,
    onProgress: () => {
      stopping.abort(new Error('stopped'));
    },
  });
  await assert.rejects(waiting, /^Error: stopped$/);
});

test('unreadiness is undefined for a ready monolith, else it names the checks or the address', async (t) => {
  const store: { why?: string } = {};
  const health = new Health({
    stopping: new AbortController().signal,
    ready: { store: () => store.why },
  });
  const app = createApp({
    routes: healthRoutes(health),
    onRequest: () => undefined,
    onDefect: () => undefined,
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  const client = new FitClient(server.url, TOKEN);
  assert.equal(await client.unreadiness(), undefined);
  store.why = 'does not answer a ping';
  assert.match((await client.unreadiness()) ?? '', /not ready: store does not answer a ping/);
  const unreachable = new FitClient('http://127.0.0.1:9', TOKEN);
  assert.equal(await unreachable.unreadiness(), 'no answer from http://127.0.0.1:9');
});

/** Gives tokens `token-1`, `token-2`, …, and accepts those that `isAccepted` does. */
async function serveTokens(
  t: TestContext,
  { seconds, isAccepted }: { seconds: number; isAccepted: (token: string) => boolean },
) {
  const logIns: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const isLogIn = request.method === 'POST' && /login|token/.test(request.url ?? '');
      if (isLogIn) logIns.push(`${request.url ?? ''} ${body}`);
      const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
      response.statusCode = isLogIn || isAccepted(token) ? 200 : 401;
      const reply = isLogIn ? { token: `token-${logIns.length}`, expires_in: seconds } : { token };
      response.end(JSON.stringify(reply));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { logIns, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('simultaneous requests log in once, and the token is kept until nine tenths of its life have passed', async (t) => {
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const { logIns, url } = await serveTokens(t, { seconds: 1_000, isAccepted: () => true });
  const client = new FitClient(url, { email: 'ann@example.org', password: 'password of ann' });
  await Promise.all([1, 2, 3].map(() => client.request('GET', '/runs')));
  assert.deepEqual(logIns, [
    '/auth/login {"email":"ann@example.org","password":"password of ann"}',
  ]);
  nowMs = 899_999;
  assert.equal(await client.token(), 'token-1');
  nowMs = 900_000;
  assert.deepEqual(await client.request('GET', '/runs'), { token: 'token-2' });
});

test('after a 401 the credentials are read again and the request is sent once more', async (t) => {
  const { logIns, url } = await serveTokens(t, {
    seconds: 1_000,
    isAccepted: (token) => token === 'token-2',
  });
  const secrets = ['old', 'new', 'never read'];
  const client = new FitClient(url, () =>
    Promise.resolve({ clientId: 'cron', clientSecret: secrets.shift() ?? '' }),
  );
  assert.deepEqual(await client.request('GET', '/runs'), { token: 'token-2' });
  assert.deepEqual(
    logIns.map((line) => /"client_secret":"(\w+)"/.exec(line)?.[1]),
    ['old', 'new'],
  );
});

test('a token that is refused twice is an error, and so is a log-in that fails; the next request tries again', async (t) => {
  const { logIns, url } = await serveTokens(t, { seconds: 1_000, isAccepted: () => false });
  const client = new FitClient(url, { clientId: 'cron', clientSecret: 'secret' });
  const refused = (error: unknown) => error instanceof FitRequestError && error.status === 401;
  await assert.rejects(client.request('GET', '/runs'), refused);
  assert.equal(logIns.length, 2);
  const broken = new FitClient(url, () => Promise.reject(new Error('no such file')));
  await assert.rejects(broken.request('GET', '/runs'), /no such file/);
  await assert.rejects(broken.request('GET', '/runs'), /no such file/);
});
