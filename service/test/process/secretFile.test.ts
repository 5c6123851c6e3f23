/** Goal: a secret's folder is made, or its place refused at once. Method: real folders, and a file system that has none. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadSecretFile } from '@fit/service/secret-file';

const noWarning = (line: string): void => {
  assert.fail(line);
};

test('missing folders are made for the owner alone, and existing ones are fine', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fit-secret-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'a/b/token');
  const secret = await loadSecretFile(path, noWarning);
  assert.equal(await loadSecretFile(path, noWarning), secret);
  const { mode } = await stat(join(folder, 'a/b'));
  assert.equal(mode & 0o777, 0o700);
});

test('a place in /proc is refused: Node alone would try for ever there', async () => {
  await assert.rejects(loadSecretFile('/proc/fit/token', noWarning), {
    name: 'SecretError',
    message: /^the secret file \/proc\/fit\/token cannot be written: ENOENT/,
  });
});
