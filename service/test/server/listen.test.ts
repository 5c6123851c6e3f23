/** Goal: an address that cannot be used is reported with the variable that set it. Method: real sockets. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { listen } from '@fit/service';

async function takenPort(t: TestContext, host: string): Promise<number> {
  const server = createServer();
  t.after(() => server.close());
  await new Promise<void>((resolve) => {
    server.listen(0, host, resolve);
  });
  return (server.address() as { port: number }).port;
}

const refuse = () => undefined;

test('for a host that is not of this machine the error names HOST', async () => {
  // 192.0.2.0/24 is reserved for documentation, .invalid for names that never resolve.
  for (const host of ['192.0.2.1', 'nowhere.invalid'])
    await assert.rejects(listen(refuse, host, 0), ({ message }: Error) => {
      assert.ok(message.includes(`HOST='${host}' is not an address of this machine`), message);
      assert.doesNotMatch(message, /PORT/);
      return true;
    });
});

test('for a port in use the error names PORT', async (t) => {
  const port = await takenPort(t, '127.0.0.1');
  await assert.rejects(listen(refuse, '127.0.0.1', port), ({ message }: Error) => {
    assert.match(message, /the port is in use; set PORT or METRICS_PORT/);
    assert.doesNotMatch(message, /HOST/);
    return true;
  });
});

test('the URL of an IPv6 host has brackets, so that it leads to the server', async (t) => {
  const server = await listen((_, response) => response.end('here'), '::1', 0);
  t.after(() => server.close());
  assert.match(server.url, /^http:\/\/\[::1\]:\d+$/);
  assert.equal(await (await fetch(server.url)).text(), 'here');
});
