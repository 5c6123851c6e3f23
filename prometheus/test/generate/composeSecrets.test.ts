/**
 * Goal: the folder that compose mounts can be read by Alertmanager's user, secrets of mode 0600 included, and by nobody else of the
 * host. Method: the generator itself, under umask 077, and the modes of what it wrote.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { COMPOSE_RENDITIONS } from '../../src/generate/composeRenditions.ts';
import { REPOSITORY } from '../support/composeFile.ts';

const modeOf = async (path: string): Promise<string> =>
  ((await stat(path)).mode & 0o777).toString(8);

test('copies of secrets are readable below a folder that is their owner’s alone, and it is said', async (t) => {
  const base = await mkdtemp(join(tmpdir(), 'fit-compose-secrets-'));
  t.after(() => rm(base, { recursive: true, force: true }));
  const [secret, folder] = [join(base, 'slack'), join(base, 'monitoring')];
  await writeFile(secret, 'https://hooks.example.org/secret', { mode: 0o600 });

  const command = `umask 077; exec "${process.execPath}" prometheus/src/generate.ts "${folder}"`;
  const { stdout } = await promisify(execFile)('sh', ['-c', command], {
    cwd: REPOSITORY,
    env: {
      ...process.env,
      ALERT_PAGE_SLACK_CHANNEL: '#page',
      ALERT_SLACK_URL_FILE: secret,
    },
  });

  assert.match(stdout, /mode 0700/);
  assert.equal(await modeOf(folder), '700');
  for (const { profile } of COMPOSE_RENDITIONS) {
    const copy = join(folder, profile, 'secrets/slack-url');
    assert.equal(await readFile(copy, 'utf8'), 'https://hooks.example.org/secret');
    assert.equal(await modeOf(copy), '644');
    assert.equal(await modeOf(join(folder, profile, 'secrets')), '755');
    assert.equal(await modeOf(join(folder, profile)), '755', 'what is mounted');
    assert.equal(await modeOf(join(folder, profile, 'alertmanager.yml')), '644');
  }
  assert.equal(await modeOf(secret), '600', 'the source stays as it was');
});
