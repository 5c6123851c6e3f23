/**
 * Goal: a start that is aborted ends early, at each of its stages, and leaves nothing. Method: real servers, an unpacking
 * that never ends, and signals.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { freePorts, startStack } from '@fit/stack';
import { defaultFolder } from '../../src/launch/stackFolder.ts';
import { processesOnFolder } from '../../src/process/processTable.ts';
import { ProcessTree } from '../support/processTree.ts';

const REPOSITORY = join(import.meta.dirname, '../../../..');

test('an abort while the broker boots does not wait for the broker', async (t) => {
  const name = `test-${randomUUID().slice(0, 8)}`;
  const folder = join(tmpdir(), `fit-stack-${name}`);
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const stopping = new AbortController();
  const lines: string[] = [];
  const starting = startStack({
    name,
    folder,
    ports: await freePorts(),
    signal: stopping.signal,
    onProgress: (line) => {
      lines.push(line);
      // The gateway is ready before the broker, which takes ten times as long.
      if (line.startsWith('gateway ready')) stopping.abort(new Error('changed my mind'));
    },
  });
  await assert.rejects(starting, /changed my mind/, lines.join('\n'));
  assert.equal(
    lines.some((line) => line.startsWith('rabbitmq ready')),
    false,
  );
  assert.deepEqual(processesOnFolder(folder), []);
  assert.equal(existsSync(join(folder, 'stack.json')), false);
});

test('SIGTERM to npm in the middle of a build ends the build, and leaves nothing half-built', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fit-build-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const cache = join(folder, 'cache');
  const name = `test-build-${process.pid}`;
  t.after(() => rm(defaultFolder(name), { recursive: true, force: true, maxRetries: 5 }));
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const programs = {
    // With a child, as the real mmdebstrap has.
    mmdebstrap: 'sleep 600 & wait',
    // A Go that is too old, so that Debian's would be unpacked.
    go: 'echo go version go1.1 linux/amd64',
  };
  for (const [program, script] of Object.entries(programs)) {
    await writeFile(join(bin, program), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, program), 0o755);
  }
  const tree = ProcessTree.start(t, {
    cwd: REPOSITORY,
    words: ['run', 'stack', '--', 'up', '--name', name],
    env: { FIT_STACK_CACHE: cache, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` },
  });
  await tree.says(/: unpacking … 3 s/);
  tree.child.kill('SIGTERM');
  await tree.says(/stopping/);
  assert.equal((await tree.exit()).code, 130, tree.output);
  await tree.leavesNothing();
  assert.deepEqual(await readdir(cache), []);
});
