/** Goal: the committed rendition is the one that would be generated now. Method: the command itself, also on a stale folder. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFile, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const PACKAGE = join(import.meta.dirname, '../..');
const GENERATED = join(PACKAGE, 'generated');

function generate(...args: string[]): { status: number | null; stderr: string } {
  const command = [join(PACKAGE, 'src/generate.ts'), ...args];
  return spawnSync(process.execPath, command, { encoding: 'utf8' });
}

test('what is committed is up to date (else: node prometheus/src/generate.ts)', () => {
  const { status, stderr } = generate('--check');
  assert.equal(status, 0, stderr);
});

test('a changed or missing file is named with the first line that differs, and mended by generating', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fit-generated-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(GENERATED, folder, { recursive: true });
  await appendFile(join(folder, 'default/rules/fit.yml'), '# by hand\n');
  await rm(join(folder, 'assignment/alertmanager.yml'));

  const stale = generate('--check', folder);
  const written = generate(folder);
  const mended = generate('--check', folder);

  assert.equal(stale.status, 1);
  assert.match(stale.stderr, /default\/rules\/fit\.yml:\d+ is stale\n {2}- # by hand/);
  assert.match(stale.stderr, /assignment\/alertmanager\.yml:1 is stale/);
  assert.equal(written.status, 0, written.stderr);
  assert.equal(mended.status, 0, mended.stderr);
});
