/** Goal: the link of an alert leads to its runbook, and no other file can be read. Method: a real server. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createApp, listen } from '@fit/service';
import { runbookRoutes } from '../../src/routes/runbookRoutes.ts';

const FOLDER = join(import.meta.dirname, '../../../prometheus/runbooks');

describe('runbooks', () => {
  let server: Awaited<ReturnType<typeof listen>>;

  before(async () => {
    const app = createApp({
      routes: runbookRoutes(),
      onRequest: () => undefined,
      onDefect: (error) => {
        assert.ifError(error);
      },
    });
    server = await listen(app.callback(), '127.0.0.1', 0);
  });
  after(async () => {
    await server.close();
  });

  test('each runbook is served unchanged, as text, without a token', async () => {
    const names = readdirSync(FOLDER);
    assert.ok(names.length > 10);
    for (const name of names) {
      const response = await fetch(`${server.url}/runbooks/${name}`);
      assert.equal(response.status, 200, name);
      assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8');
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      assert.equal(response.headers.get('cache-control'), 'no-store');
      assert.equal(await response.text(), readFileSync(join(FOLDER, name), 'utf8'));
    }
  });

  test('without a name the shared instructions and the list of runbooks are served, and the link in each runbook leads there', async () => {
    const index = await (await fetch(`${server.url}/runbooks`)).text();
    assert.match(index, /^# On call\n/);
    for (const name of readdirSync(FOLDER)) assert.ok(index.includes(`- runbooks/${name}\n`), name);
    const linked = new URL('../on-call.md', `${server.url}/runbooks/StoreDown.md`);
    assert.equal(await (await fetch(linked)).text(), index);
  });

  test('a name that is not in the list is answered with 404, also where it is a path', async () => {
    for (const name of [
      'StoreDown',
      'storedown.md',
      '..%2Fpackage.json',
      '..%2fon-call.md',
      '%00',
    ]) {
      const response = await fetch(`${server.url}/runbooks/${name}`);
      assert.equal(response.status, 404, name);
      assert.equal(response.headers.get('content-type'), 'application/problem+json');
      const { code } = (await response.json()) as { code: string };
      assert.equal(code, 'runbook_not_found', name);
    }
  });

  test('runbooks cannot be written', async () => {
    const json = { headers: { 'content-type': 'application/json' }, body: '{}' };
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const { status } = await fetch(`${server.url}/runbooks/StoreDown.md`, { method, ...json });
      assert.ok(status === 404 || status === 405, `${method} ${status}`);
    }
  });
});
