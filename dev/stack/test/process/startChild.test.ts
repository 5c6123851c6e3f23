/** Goal: a start ends with a child that is ready, or with an error and no process. Method: small real programs. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { identify } from '../../src/process/processTable.ts';
import { type ChildOptions, startChild } from '../../src/process/startChild.ts';

async function shell(t: TestContext, script: string): Promise<ChildOptions> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-child-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const logPath = join(folder, 'child.log');
  const ready = async (): Promise<boolean> => (await readFile(logPath, 'utf8')).includes('ready');
  return { name: 'child', command: 'sh', args: ['-c', script], logPath, ready, deadlineMs: 5000 };
}

test('stop lets the child clean up', async (t) => {
  const options = await shell(
    t,
    'trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done',
  );
  const child = await startChild(options);
  await child.stop();
  assert.deepEqual(await child.exited, { code: 3, signal: null });
  assert.match(await readFile(options.logPath, 'utf8'), /bye/);
});

test('kill reaches the whole process group', async (t) => {
  const options = await shell(t, 'sleep 60 & echo "pid $!"; echo ready; wait');
  const child = await startChild(options);
  await child.kill();
  assert.equal((await child.exited).signal, 'SIGKILL');
  assert.equal(identify(child.pid).startTicks, undefined);
});

test('a child that dies early is reported with its log', async (t) => {
  const options = await shell(t, 'echo "cannot open the gym" >&2; exit 4');
  await assert.rejects(startChild(options), { code: 'SERVER_DIED', message: /code 4[^]*the gym/ });
});

test('a child that is never ready is killed and reported', async (t) => {
  const options = await shell(t, 'echo warming up; exec sleep 60');
  let pid = 0;
  const onSpawn = (spawned: number): void => {
    pid = spawned;
  };
  const starting = startChild({ ...options, deadlineMs: 200, onSpawn });
  await assert.rejects(starting, { code: 'SERVER_NOT_READY', message: /warming up/ });
  assert.equal(identify(pid).startTicks, undefined);
});

test('a program that does not exist is reported', async (t) => {
  const options = await shell(t, '');
  const starting = startChild({ ...options, command: '/nonexistent/program' });
  await assert.rejects(starting, { code: 'SERVER_DIED' });
});
