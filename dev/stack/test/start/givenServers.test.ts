/**
 * Goal: `npm start` stops at every stage, does not touch a running stack, starts again what died, and gives up what cannot
 * be started, with an exit code for each. Method: the real command, on the broker and database of `npm test`.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { portIsTaken } from '../../src/ports.ts';
import { lastPidOf, NpmStart } from '../support/npmStart.ts';

const BOTH_READY = /(?:prometheus|alertmanager) ready[^]*(?:prometheus|alertmanager) ready/;
const STAGES: readonly (readonly [after: RegExp, never: RegExp])[] = [
  [/starting the servers/, BOTH_READY],
  [/(?:prometheus|alertmanager) ready/, /monolith ready/],
  [/monolith ready/, /coach-1 ready/],
];

for (const [after, never] of STAGES)
  test(`SIGTERM at '${after.source}' is answered at once, and nothing more is started`, async (t) => {
    const start = await NpmStart.withGivenServers(t);
    const tree = start.run();
    await tree.says(after);
    tree.child.kill('SIGTERM');
    await tree.says(/stopping: stopped by SIGTERM/);
    assert.equal((await tree.exit()).code, 130, tree.output);
    await start.leavesNothing(tree);
    assert.doesNotMatch(tree.output, never);
  });

test('SIGKILL to npm during the run stops everything in order', async (t) => {
  const start = await NpmStart.withGivenServers(t);
  const tree = start.run({ env: { COACH_WORK_MS: '60000' } });
  await tree.says(/run \S+ for \S+ is accepted/);
  tree.child.kill('SIGKILL');
  await tree.says(/nothing is left running/);
  await start.leavesNothing(tree);
  assert.doesNotMatch(tree.output, /everything stays up/);
});

test('--fresh does not touch a running stack; a program that dies is started again, or given up', async (t) => {
  const start = await NpmStart.withGivenServers(t);
  const running = start.run({ words: ['--users', '5'] });
  await running.says(/everything stays up/);
  assert.doesNotMatch(running.stdout, /ready after/);
  const logIn = await readFile(join(start.folder, 'admin.env'), 'utf8');

  const fresh = start.run({ words: ['--fresh'] });
  assert.equal((await fresh.exit()).code, 1, fresh.output);
  const launcher = running.pidOf(/bin\/node .*start\.ts/);
  assert.match(fresh.stderr, new RegExp(`already runs.*launcher pid ${launcher}`));
  assert.match(fresh.stderr, /Stop it with Ctrl-C/);
  assert.equal(await readFile(join(start.folder, 'admin.env'), 'utf8'), logIn);

  for (const name of ['monolith', 'coach-1', 'alertmanager', 'prometheus']) {
    const [, pid] =
      new RegExp(`${name} ready after .* \\(pid (\\d+)\\)`).exec(running.stderr) ?? [];
    process.kill(Number(pid), 'SIGKILL');
    await running.says(new RegExp(`${name} ended unexpectedly \\(SIGKILL\\)\\. Last lines`));
    await running.says(new RegExp(`${name}: starting again in 0\\.5 s[^]*${name} ready after`));
  }

  // Alertmanager cannot be started again while another program has its port.
  const port = start.ports.alertmanager;
  process.kill(lastPidOf('alertmanager', running), 'SIGKILL');
  const otherProgram = createServer();
  t.after(() => otherProgram.close());
  await eventually(async () => !(await portIsTaken(port)), { describe: () => `${port} is taken` });
  otherProgram.listen(port, '127.0.0.1');
  assert.equal((await running.exit()).code, 1, running.output);
  assert.match(running.stderr, /alertmanager ended before it was ready/);
  assert.match(running.stderr, /stopping: alertmanager did not become ready in 5 starts in a row/);
  await start.leavesNothing(running);
});
