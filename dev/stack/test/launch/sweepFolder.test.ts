/** Goal: nothing is started beside a process that could not be killed. Method: real processes, one that no signal reaches. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { killAll } from '../../src/launch/sweepFolder.ts';
import { identify, isAlive } from '../../src/process/processTable.ts';
import { StackError } from '../../src/stackError.ts';

async function startSleeper(t: TestContext) {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  return identify(child.pid ?? 0);
}

test('what survives SIGKILL is an error that names each process left', async (t) => {
  const sleepers = [await startSleeper(t), await startSleeper(t)];
  const find = () => sleepers.filter(isAlive).map(({ pid }) => pid);
  await assert.rejects(
    killAll(find, { deadlineMs: 100, kill: () => undefined }),
    (error: unknown) => {
      assert.ok(error instanceof StackError);
      assert.equal(error.code, 'PROCESSES_LEFT');
      for (const { pid } of sleepers) assert.match(error.message, new RegExp(`\\b${pid}\\b`));
      return true;
    },
  );
  assert.equal(await killAll(find), 2);
  assert.deepEqual(find(), []);
});
