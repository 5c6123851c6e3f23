/** Goal: `npm test` and `npm run stack -- up` leave no process. Method: the commands, killed at their stages. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { defaultFolder, freePorts, type StackPorts } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { readState } from '../../src/launch/stackFolder.ts';
import { portVariable } from '../../src/ports.ts';
import { processesOnFolder } from '../../src/process/processTable.ts';
import { ProcessTree } from '../support/processTree.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../../..');

for (const signal of ['SIGTERM', 'SIGKILL'] as const)
  test(`${signal} to npm test while its servers start stops them and removes their folder`, async (t) => {
    const words = ['test', '--', '--only', 'dev/stack/test/testing/testTime.test.ts'];
    const tree = ProcessTree.start(t, { cwd: REPOSITORY, words });
    await tree.says(/starting a broker/);
    const folder = defaultFolder(`test-${tree.pidOf(/bin\/node .*runTests\.ts/)}`);
    await eventually(() => processesOnFolder(folder).length > 0, { describe: () => tree.output });
    tree.child.kill(signal);
    await tree.says(/stopping/);
    await tree.leavesNothing();
    assert.deepEqual(processesOnFolder(folder), []);
    assert.equal(existsSync(folder), false);
    assert.doesNotMatch(tree.output, /RabbitMQ 4/);
  });

test('a stack of npm run stack -- up ends with npm, and down stops a stack that is starting', async (t) => {
  const name = `test-${randomUUID().slice(0, 8)}`;
  const folder = defaultFolder(name);
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const ports = await freePorts();
  const env = Object.fromEntries(
    Object.entries(ports).map(([port, number]: [string, number]) => [
      portVariable(port as keyof StackPorts),
      String(number),
    ]),
  );
  const stack = (...words: string[]) =>
    ProcessTree.start(t, {
      cwd: REPOSITORY,
      words: ['run', '--silent', 'stack', '--', ...words, '--name', name],
      env,
    });

  const starting = stack('up');
  await eventually(() => readState(folder), {
    deadlineMs: 60_000,
    describe: () => starting.output,
  });
  const status = stack('status', '--json');
  assert.equal((await status.exit()).code, 1, status.output);
  assert.equal((JSON.parse(status.stdout) as { running: boolean }).running, false);
  const down = stack('down');
  assert.equal((await down.exit()).code, 0, down.output);
  assert.match(down.stdout, /is stopped/);
  assert.equal((await starting.exit()).code, 130, starting.output);

  const up = stack('up');
  await up.says(/Ctrl-C stops everything/);
  assert.doesNotMatch(up.stdout, /ready after/);
  up.child.kill('SIGKILL');
  await up.leavesNothing();
  await eventually(() => processesOnFolder(folder).length === 0, { describe: () => up.output });
  assert.equal(readState(folder), undefined);
});
