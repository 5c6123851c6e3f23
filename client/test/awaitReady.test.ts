/** Goal: `awaitReady` waits until the monolith is ready and reports the reason once. Method: a real server with a stub health check. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { awaitReady, FitClient } from '@fit/client';
import { createApp, Health, healthRoutes, listen } from '@fit/service';

const TOKEN = 'a-token-of-more-than-thirty-two-characters';

async function serve(t: TestContext, store: () => string | undefined): Promise<FitClient> {
  const health = new Health({ stopping: new AbortController().signal, ready: { store } });
  const app = createApp({
    routes: healthRoutes(health),
    onRequest: () => undefined,
    onDefect: () => undefined,
  });
  const server = await listen(app.callback(), '127.0.0.1', 0);
  t.after(() => server.close());
  return new FitClient(server.url, TOKEN);
}

test('a monolith that is ready at once causes no progress line', async (t) => {
  const client = await serve(t, () => undefined);
  const lines: string[] = [];
  const onProgress = (line: string) => lines.push(line);
  assert.equal(await awaitReady({ client, waitMs: 0, onProgress }), true);
  assert.deepEqual(lines, []);
});

test('a monolith that becomes ready causes one line with the reason', async (t) => {
  let askedCount = 0;
  const client = await serve(t, () => {
    askedCount += 1;
    return askedCount < 3 ? 'does not answer a ping' : undefined;
  });
  const lines: string[] = [];
  const onProgress = (line: string) => lines.push(line);
  assert.equal(await awaitReady({ client, waitMs: 60_000, onProgress }), true);
  assert.deepEqual(lines, [
    'the monolith is not ready (not ready: store does not answer a ping); waiting',
  ]);
});

test('without an answer within the time the result is false, with a line that names the address', async () => {
  const lines: string[] = [];
  const client = new FitClient('http://127.0.0.1:9', TOKEN);
  const onProgress = (line: string) => lines.push(line);
  assert.equal(await awaitReady({ client, waitMs: 0, onProgress }), false);
  assert.match(lines[0] ?? '', /no answer from http:\/\/127\.0\.0\.1:9/);
});
