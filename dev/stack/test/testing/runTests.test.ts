/** Goal: `npm test` explains its options, and answers a wrong one in one line. Method: its process, before it starts servers. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';

const RUN_TESTS = resolve(import.meta.dirname, '../../src/testing/runTests.ts');

function runTests(...options: string[]) {
  return spawnSync(process.execPath, [RUN_TESTS, ...options], { encoding: 'utf8' });
}

test('--help names each option and the exit codes', () => {
  const { status, stdout } = runTests('--help');
  assert.equal(status, 0);
  for (const part of ['--only', '--broker-suite', 'Exit code']) assert.ok(stdout.includes(part));
});

test('an unknown option is named, with exit code 2', () => {
  const { status, stderr } = runTests('--onyl', 'x');
  assert.deepEqual([status, stderr.split('\n')[0]], [2, "Unknown option '--onyl'"]);
});

test('an unknown suite and a glob without a match are named', () => {
  const suite = runTests('--broker-suite', 'potato');
  assert.deepEqual(
    [suite.status, suite.stderr.includes("'potato' is none of bookworm")],
    [1, true],
  );
  const files = runTests('--only', 'nowhere/*.test.ts');
  assert.deepEqual(
    [files.status, files.stderr.includes('no test file matches nowhere')],
    [1, true],
  );
});
