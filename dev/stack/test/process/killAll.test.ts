/** Goal: processes that could not be killed are reported. Method: real processes, and a kill that has no effect. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { identify, isAlive, killAll } from '../../src/process/processTable.ts';
import { StackError } from '../../src/stackError.ts';

async function startSleeper(t: TestContext) {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  return identify(child.pid ?? 0);
}

test('processes that survive SIGKILL are named in the error', async (t) => {
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
