/**
 * Goal: the daemon of the check is not taken for ready because another daemon answers another client. Method: the start
 * itself, with programs that replace the daemon and a client that this machine already has.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CannotRun, startDockerDaemon } from '../../src/compose/isolatedDocker.ts';

test('a check whose Docker client cannot be written cannot run, and says why', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fit-docker-daemon-'));
  const { PATH = '', DOCKER_CONFIG } = process.env;
  t.after(async () => {
    process.env['PATH'] = PATH;
    if (DOCKER_CONFIG === undefined) delete process.env['DOCKER_CONFIG'];
    else process.env['DOCKER_CONFIG'] = DOCKER_CONFIG;
    await rm(folder, { recursive: true, force: true });
  });
  const machine = join(folder, 'machine');
  await mkdir(machine);
  const write = (name: string, text: string) =>
    writeFile(join(machine, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  await write('unshare', 'exec sleep 600');
  await write('docker', 'exit 0');
  process.env['PATH'] = `${machine}:${PATH}`;
  // A folder in the place of the client's file, so that the client cannot be written.
  await mkdir(join(folder, 'bin/docker'), { recursive: true });

  await assert.rejects(
    async () => {
      const daemon = await startDockerDaemon({ root: '/', folder, cgroup: 'none' });
      await daemon.kill();
    },
    (error: unknown) => error instanceof CannotRun && /EISDIR.*bin\/docker/.test(error.message),
  );
});
