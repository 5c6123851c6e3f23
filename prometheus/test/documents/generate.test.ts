/** Goal: the committed files are those that would be generated now. Method: the command, also on a stale folder. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFile, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const PACKAGE = join(import.meta.dirname, '../..');
const GENERATED = join(PACKAGE, 'generated');

/** An environment with other addresses for the links. */
const MOVED = {
  FIT_CONSOLE_URL: 'https://fit.example.org',
  FIT_RUNBOOK_BASE: 'https://wiki.example.org/fit',
};

interface Run {
  readonly status: number | null;
  readonly stderr: string;
}

function generate(args: readonly string[], environment: Record<string, string> = {}): Run {
  const command = [join(PACKAGE, 'src/generate.ts'), ...args];
  const env = { ...process.env, FIT_CONSOLE_URL: '', FIT_RUNBOOK_BASE: '', ...environment };
  return spawnSync(process.execPath, command, { encoding: 'utf8', env });
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-generated-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('the committed files are up to date (otherwise: npm run rules)', () => {
  const { status, stderr } = generate(['--check']);
  assert.equal(status, 0, stderr);
});

test('the environment does not change the committed files', () => {
  const { status, stderr } = generate(['--check'], MOVED);
  assert.equal(status, 0, stderr);
});

test('files in a given folder link to the addresses of the environment', async (t) => {
  const folder = await temporaryFolder(t);
  const { status, stderr } = generate([folder], MOVED);
  assert.equal(status, 0, stderr);
  const rules = await readFile(join(folder, 'default/rules/fit.yml'), 'utf8');
  assert.match(rules, /runbook_url: https:\/\/wiki\.example\.org\/fit\/StoreDown\.md\n/);
  const overview = await readFile(join(folder, 'dashboards/fit-overview.json'), 'utf8');
  for (const url of ['https://fit.example.org/', 'https://wiki.example.org/fit'])
    assert.ok(overview.includes(`"url": "${url}"`), url);
  for (const text of [rules, overview]) assert.doesNotMatch(text, /localhost/);
});

test('a changed or missing file is reported with the first line that differs, and repaired by generating', async (t) => {
  const folder = await temporaryFolder(t);
  await cp(GENERATED, folder, { recursive: true });
  await appendFile(join(folder, 'default/rules/fit.yml'), '# by hand\n');
  await rm(join(folder, 'assignment/alertmanager.yml'));

  const stale = generate(['--check', folder]);
  const written = generate([folder]);
  const repaired = generate(['--check', folder]);

  assert.equal(stale.status, 1);
  assert.match(stale.stderr, /default\/rules\/fit\.yml:\d+ is stale\n {2}- # by hand/);
  assert.match(stale.stderr, /assignment\/alertmanager\.yml:1 is stale/);
  assert.equal(written.status, 0, written.stderr);
  assert.equal(repaired.status, 0, repaired.stderr);
});
