/** Goal: a folder that cannot be made is named at once, with a remedy. Method: places where the kernel allows none. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultFolder } from '../../src/launch/stackFolder.ts';
import { makeFolder } from '../../src/process/makeFolder.ts';
import { cacheFolder } from '../../src/root/buildOnce.ts';

test('every missing level is made, and an existing folder is accepted', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fit-folder-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const deep = join(folder, 'a/b/c');
  makeFolder(deep, 'no remedy');
  makeFolder(deep, 'no remedy');
  assert.equal(existsSync(deep), true);
});

// At the first of these Node's own recursive mkdir would never return.
for (const [path, reason] of [
  ['/proc/fit/cache', 'ENOENT'],
  ['/sys/fit/cache', 'EPERM'],
  ['/dev/null/cache', 'EEXIST'],
] as const)
  test(`${path} is refused with ${reason} and the remedy`, () => {
    assert.throws(
      () => {
        makeFolder(path, 'SOME_VARIABLE=<folder> chooses another.');
      },
      {
        code: 'FOLDER_UNUSABLE',
        message: new RegExp(`^${path} cannot be written: ${reason}[^]*SOME_VARIABLE`),
      },
    );
  });

test('the cache is where the variables say, and empty ones count as unset', () => {
  assert.equal(cacheFolder({ FIT_STACK_CACHE: '/c', HOME: '/h' }), '/c');
  assert.equal(cacheFolder({ FIT_STACK_CACHE: '', HOME: '/h' }), '/h/.cache/fit-stack');
  assert.match(cacheFolder({ HOME: '' }), /^\/.+\/\.cache\/fit-stack$/);
});

// Not by npm, which at HOME=/proc never returns from making its own folder in the home.
for (const home of ['/proc', '/sys', '/dev/null'])
  test(`HOME=${home} ends a start with exit code 1 and names FIT_STACK_CACHE`, () => {
    const { FIT_STACK_CACHE: _, ...env } = process.env;
    const name = `test-home-${process.pid}`;
    const words = ['dev/stack/launch.mjs', 'dev/stack/src/main.ts', 'up', '--name', name];
    const { status, stderr } = spawnSync(process.execPath, words, {
      cwd: join(import.meta.dirname, '../../../..'),
      env: { ...env, HOME: home },
      encoding: 'utf8',
      // A bound for the case that it does not end by itself.
      timeout: 120_000,
      killSignal: 'SIGTERM',
    });
    rmSync(defaultFolder(name), { recursive: true, force: true });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /cannot be written: .*\n.*FIT_STACK_CACHE=<folder>/);
  });
