/** Goal: every code that can be met is explained, and no other. Method: the sources against the README. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const FOLDER = join(import.meta.dirname, '..');
const VARIABLES = new Set(['AMQP_URL', 'AMQP_MANAGEMENT_URL']);

function found(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, code]) => code!);
}

test('the codes of the sources are those of the README', () => {
  const sources = globSync('src/**/*.ts', { cwd: FOLDER })
    .map((file) => readFileSync(join(FOLDER, file), 'utf8'))
    .join('\n');
  const used = new Set(found(sources, /'([A-Z]+(?:_[A-Z]+)+)'/g));
  const explained = new Set(
    found(readFileSync(join(FOLDER, 'README.md'), 'utf8'), /`([A-Z]+(?:_[A-Z]+)+)`/g),
  );
  assert.deepEqual([...used.difference(explained).difference(VARIABLES)], [], 'not explained');
  assert.deepEqual([...explained.difference(used)], [], 'no longer used');
  assert.ok(used.size > 60);
});
