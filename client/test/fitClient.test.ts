/** Goal: a request is repeated while its error is temporary, and each reason is reported once. Method: a server by hand. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { FitClient, FitRequestError, untilAccepted } from '@fit/client';
import { createApp, Health, healthRoutes, listen } from '@fit/service';

const TOKEN = 'a-token-of-more-than-thirty-two-characters';

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
