/**
 * Goal: a run completes although every process of the system was killed during it. Method: `npm start` with servers of its
 * own, kill -9, and its exit code.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastPidOf, NpmStart } from '../support/npmStart.ts';

const PROGRAMS = [
  'gateway',
  'postgresql',
  'rabbitmq',
  'prometheus',
  'alertmanager',
  'monolith',
  'coach-1',
];

test('every process is killed once and started again, and the run completes', async (t) => {
  const start = await NpmStart.native(t);
  const tree = start.run({ words: ['--once', '--users', '100'], env: { COACH_WORK_MS: '1000' } });
  await tree.says(/run \S+ for \S+ is accepted/);
  for (const name of PROGRAMS) process.kill(lastPidOf(name, tree), 'SIGKILL');
  assert.equal((await tree.exit()).code, 0, tree.output);
  for (const name of PROGRAMS) {
    assert.match(tree.stderr, new RegExp(`${name} ended unexpectedly \\(SIGKILL\\)`));
    assert.match(tree.stderr, new RegExp(`${name}: starting again[^]*${name} ready after`));
  }
  assert.match(tree.stderr, /100 of 100 stored/);
  await start.leavesNothing(tree);
});
