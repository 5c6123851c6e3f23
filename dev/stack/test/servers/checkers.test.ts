/** Goal: promtool and amtool see files of the host, and findings are results. Method: a good and a bad file. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { amtool, promtool } from '@fit/stack';

test('promtool accepts a good configuration and rejects a bad one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fit-tool-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'good.yml'), 'global: { scrape_interval: 5s }\n');
  await writeFile(join(folder, 'bad.yml'), 'globe: {}\n');

  const good = await promtool(['check', 'config', 'good.yml'], { cwd: folder });
  const bad = await promtool(['check', 'config', 'bad.yml'], { cwd: folder });

  assert.equal(good.code, 0, good.output);
  assert.notEqual(bad.code, 0);
  assert.match(bad.output, /globe/);
});

test('amtool runs', async () => {
  const { code, output } = await amtool(['--version'], { cwd: tmpdir() });
  assert.equal(code, 0, output);
});
