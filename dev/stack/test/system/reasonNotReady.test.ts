/** Goal: a failed start names the check that failed. Method: a server with fixed answers, and a program that is never ready. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startChild } from '@fit/stack';
import { reasonNotReady } from '../../src/system/startSystem.ts';

async function serve(t: TestContext, status: number, body: string): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/readyz`;
}

test('a ready service has no reason', async (t) => {
  assert.equal(await reasonNotReady(await serve(t, 200, '{}')), undefined);
});

test('each failed check is named with its reason', async (t) => {
  const checks = {
    store: { ok: false, why: 'does not answer a ping' },
    channel: { ok: true },
    topology: { ok: false, why: 'not asserted yet' },
  };
  const url = await serve(t, 503, JSON.stringify({ checks }));
  assert.equal(
    await reasonNotReady(url),
    'store: does not answer a ping; topology: not asserted yet',
  );
});

test('an unexpected answer, and none, are reasons too', async (t) => {
  assert.equal(await reasonNotReady(await serve(t, 404, '{}')), 'status 404');
  assert.match((await reasonNotReady(await serve(t, 503, 'text'))) ?? '', /no answer/);
  assert.match((await reasonNotReady('http://127.0.0.1:9/readyz')) ?? '', /no answer from http/);
});

test('the error of a failed start contains the last reason', async () => {
  const started = startChild({
    name: 'never',
    command: process.execPath,
    args: ['-e', 'setInterval(() => {}, 1000)'],
    logPath: join(tmpdir(), `fit-never-${crypto.randomUUID()}.log`),
    ready: () => Promise.resolve(false),
    notReadyReason: () => 'store: does not answer a ping',
    deadlineMs: 300,
  });
  await assert.rejects(started, /not ready within 0.3 s .*: store: does not answer a ping\./s);
});
