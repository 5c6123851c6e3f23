/** Goal: a wrong option of a worker is refused by name before it connects. Method: a port that counts connections. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { planTopology, TopologyError } from '@fit/topology';
import { QueueWorker, type QueueWorkerOptions } from '@fit/topology/work';
import { QUICK } from '../support/testTopology.ts';

async function countingPort(t: TestContext): Promise<{ url: string; count: () => number }> {
  let connectionCount = 0;
  const server: Server = createServer((socket) => {
    connectionCount += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return { url: `amqp://127.0.0.1:${port}`, count: () => connectionCount };
}

test('an unknown kind, no declaration and a count of none are refused, and nothing is connected', async (t) => {
  const { url, count } = await countingPort(t);
  const refused = async (change: Record<string, unknown>, pattern: RegExp) => {
    const options = {
      declaration: QUICK,
      kind: 'one',
      amqpUrl: url,
      managementUrl: undefined,
      run: () => undefined,
      ...change,
    } as unknown as QueueWorkerOptions;
    await assert.rejects(QueueWorker.open(options), (error) => {
      assert.ok(error instanceof TopologyError);
      assert.equal(error.code, 'DECLARATION_INVALID');
      assert.match(error.message, pattern);
      return true;
    });
  };
  await refused(
    { kind: 'two' },
    /KIND_UNKNOWN kind: 'two' is not declared; the declaration has 'one'/,
  );
  await refused({ kind: undefined }, /KIND_UNKNOWN kind: 'undefined'/);
  await refused(
    { declaration: undefined },
    /DECLARATION_MISSING declaration: is undefined; pass what/,
  );
  await refused({ declaration: { one: {} } }, /DECLARATION_MISSING declaration: is no declaration/);
  for (const name of ['prefetchCount', 'concurrency', 'suspectConcurrency', 'deadlineMs'])
    for (const value of [0, -1, Number.NaN])
      await refused({ [name]: value }, new RegExp(`COUNT_OUT_OF_RANGE ${name}: ${value} must be`));
  assert.equal(count(), 0);
});

test('a plan of no declaration is refused by name', () => {
  for (const given of [undefined, null, {}, 'one'])
    assert.throws(
      () => planTopology(given as never, { version: '4.3.6', hasManagement: true }),
      /DECLARATION_INVALID[^]*DECLARATION_MISSING/,
    );
});
