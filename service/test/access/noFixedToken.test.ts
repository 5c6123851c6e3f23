/** Goal: no fixed token opens the API beside the accounts. Method: the files of the repository are searched for its former name. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';

const REPOSITORY = join(import.meta.dirname, '../../..');
/** Not part of the repository. */
const LEFT_OUT = new Set(['node_modules', '.git', '.stack', '.fit', 'coverage', 'dist', 'build']);
const TEXT = /\.(?:ts|js|mjs|cjs|json|md|yml|yaml|html|sh|bru|example|conf)$/;
const FORMER_NAME = ['FIT', 'ADMIN', 'TOKEN'].join('_');

function* filesOf(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !LEFT_OUT.has(entry.name)) yield* filesOf(path);
    if (entry.isFile() && TEXT.test(entry.name)) yield path;
  }
}

test('no file names the former token of the administrator', () => {
  const files = [...filesOf(REPOSITORY)];
  assert.ok(files.length > 500, `${files.length} files`);
  const found = files.filter((path) => readFileSync(path, 'utf8').includes(FORMER_NAME));
  assert.deepEqual(
    found.map((path) => relative(REPOSITORY, path)),
    [],
  );
});
