/** Goal: the operations port shows no detail of a defect, holds no memory for slow callers, and is never cached. Method: a real server. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createMetrics, Health, serveOperations } from '@fit/service';
import { eventually } from '@fit/stack/testing';

async function serve(t: TestContext) {
  const metrics = createMetrics('cron');
  const health = new Health({ stopping: new AbortController().signal, ready: {} });
  const defects: unknown[] = [];
  const operations = await serveOperations({
    host: '127.0.0.1',
    port: 0,
    metrics,
    health,
    onDefect: (error, path) => defects.push([path, String(error)]),
  });
  t.after(() => operations.close());
  return { url: operations.url, metrics, defects };
}

test('no answer may be cached, and browsers may not guess its type', async (t) => {
  const { url } = await serve(t);
  for (const path of ['/metrics', '/livez', '/readyz', '/nowhere']) {
    const { headers } = await fetch(url + path);
    assert.equal(headers.get('cache-control'), 'no-store', path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
  }
});

test('a defect is 500 without its message, which is logged', async (t) => {
  const { url, metrics, defects } = await serve(t);
  metrics.registry.metrics = () => Promise.reject(new Error('amqp://guest:secret@host'));
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 500);
  assert.deepEqual(await response.json(), { status: 'this is a defect, and it was logged' });
  assert.deepEqual(defects, [['/metrics', 'Error: amqp://guest:secret@host']]);
});

test('requests that arrive while the metrics are rendered get the same text', async (t) => {
  const { url, metrics } = await serve(t);
  let made = 0;
  let finish: (text: string) => void = () => undefined;
  metrics.registry.metrics = () => {
    made += 1;
    return new Promise((resolve) => (finish = resolve));
  };
  const sockets = Array.from({ length: 50 }, () => connect(Number(new URL(url).port), '127.0.0.1'));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  let answers = 0;
  for (const socket of sockets) {
    socket.once('data', () => (answers += 1));
    socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n');
  }
  // Answered after all the others were taken in: its connection is the last.
  await eventually(async () => (await fetch(`${url}/livez`)).status === 200 && made === 1, {
    describe: () => `${made} pages are being made`,
  });
  finish('one 1\n');
  await eventually(() => answers === 50 || (finish('late 1\n'), false), {
    describe: () => `${answers} of 50 answered`,
  });
  assert.ok(made <= 2, `${made} pages were made`);
});

test('a body of any size is discarded, and its sender is answered', async (t) => {
  const { url } = await serve(t);
  const response = await fetch(`${url}/livez`, { method: 'POST', body: 'x'.repeat(1_000_000) });
  assert.equal(response.status, 200);
});
