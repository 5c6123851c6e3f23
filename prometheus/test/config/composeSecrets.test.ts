/**
 * Goal: Alertmanager's user can read the folder that compose mounts, secrets of mode 0600 included, and no other user of the host
 * can. Method: the generator under umask 077, and the modes of the written files.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { PROFILES } from '@fit/contract';

import { REPOSITORY } from '../support/composeFile.ts';

const modeOf = async (path: string): Promise<string> =>
  ((await stat(path)).mode & 0o777).toString(8);

test('copies of secrets are readable in a folder that only its owner can open, and the output says so', async (t) => {
  const base = await mkdtemp(join(tmpdir(), 'fit-compose-secrets-'));
  t.after(() => rm(base, { recursive: true, force: true }));
  const [secret, folder] = [join(base, 'slack'), join(base, 'monitoring')];
  await writeFile(secret, 'https://hooks.example.org/secret', { mode: 0o600 });

  const command = `umask 077; exec "${process.execPath}" prometheus/src/generate.ts "${folder}"`;
  const { stdout } = await promisify(execFile)('sh', ['-c', command], {
    cwd: REPOSITORY,
    env: {
      ...process.env,
      ALERT_CRITICAL_SLACK_CHANNEL: '#critical',
      ALERT_SLACK_URL_FILE: secret,
    },
  });

  assert.match(stdout, /mode 0700/);
  assert.equal(await modeOf(folder), '700');
  for (const profile of PROFILES) {
    const copy = join(folder, profile, 'secrets/slack-url');
    assert.equal(await readFile(copy, 'utf8'), 'https://hooks.example.org/secret');
    assert.equal(await modeOf(copy), '644');
    assert.equal(await modeOf(join(folder, profile, 'secrets')), '755');
    assert.equal(await modeOf(join(folder, profile)), '755', 'the mounted folder');
    assert.equal(await modeOf(join(folder, profile, 'alertmanager.yml')), '644');
  }
  assert.equal(await modeOf(secret), '600', 'the source is unchanged');
});
