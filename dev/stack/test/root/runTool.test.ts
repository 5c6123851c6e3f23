/**
 * Goal: the checkers see the host's files and report findings as answers. Method: a good and a bad
 * file.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runTool } from '../../src/root/runTool.ts';

test('promtool accepts a good configuration and rejects a bad one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fit-tool-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'good.yml'), 'global: { scrape_interval: 5s }\n');
  await writeFile(join(folder, 'bad.yml'), 'globe: {}\n');

  const good = await runTool('promtool', ['check', 'config', 'good.yml'], { cwd: folder });
  const bad = await runTool('promtool', ['check', 'config', 'bad.yml'], { cwd: folder });

  assert.equal(good.code, 0, good.output);
  assert.notEqual(bad.code, 0);
  assert.match(bad.output, /globe/);
});

test('amtool runs too', async () => {
  const { code, output } = await runTool('amtool', ['--version'], { cwd: tmpdir() });
  assert.equal(code, 0, output);
});
