/**
 * Goal: launch.mjs leaves no process, whichever process is killed by whichever signal, and writes nothing to standard
 * output. Method: a small repository with the real launch.mjs and npm scripts, a program with a child that never ends, and
 * an npm that never finishes its installation.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ProcessTree } from './support/processTree.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../..');
const PINNED_NODE = 'node_modules/node/bin/node';

/** A program with a child in its group that stops in order. */
const PROGRAM = `
import { spawn } from 'node:child_process';
spawn('sleep', ['600'], { stdio: 'ignore' });
process.on('SIGTERM', () => { console.log('stopped in order'); process.exit(7); });
process.on('SIGINT', () => { console.log('interrupted'); process.exit(8); });
console.log(JSON.stringify(process.argv.slice(2)));
`;

/** An npm that has to be killed. */
const NEVER_INSTALLS = '#!/bin/sh\nsleep 600 &\necho downloading\nwait\n';
const INSTALLS = `#!/bin/sh\necho added 1 package\nmkdir -p node_modules/node/bin\nln -s "$TEST_NODE" ${PINNED_NODE}\n`;

interface Sandbox {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** @param installer script of the npm that the launcher finds; undefined: everything is installed. */
async function repository(t: TestContext, installer?: string): Promise<Sandbox> {
  const cwd = await mkdtemp(join(tmpdir(), 'fit-launch-'));
  t.after(() => rm(cwd, { recursive: true, force: true, maxRetries: 5 }));
  await mkdir(join(cwd, 'dev/stack'), { recursive: true });
  for (const file of ['dev/stack/launch.mjs', 'dev/stack/endWithParent.mjs'])
    await cp(join(REPOSITORY, file), join(cwd, file));
  const text = await readFile(join(REPOSITORY, 'package.json'), 'utf8');
  const { scripts } = JSON.parse(text) as { scripts: Record<string, string> };
  await writeFile(join(cwd, 'package.json'), JSON.stringify({ type: 'module', scripts }));
  await writeFile(join(cwd, 'package-lock.json'), '{}');
  for (const name of ['start.ts', 'cron_job.ts']) await writeFile(join(cwd, name), PROGRAM);
  const bin = join(cwd, 'bin');
  await mkdir(bin);
  if (installer === undefined) {
    await mkdir(join(cwd, 'node_modules/node/bin'), { recursive: true });
    await symlink(process.execPath, join(cwd, PINNED_NODE));
    const hash = createHash('sha256').update('{}').digest('hex');
    await writeFile(join(cwd, 'node_modules/.fit-lock-hash'), hash);
  } else {
    await writeFile(join(bin, 'npm'), installer);
    await chmod(join(bin, 'npm'), 0o755);
  }
  const PATH = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
  return { cwd, env: { PATH, TEST_NODE: process.execPath } };
}

for (const script of ['start', 'cron'] as const)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)
    test(`npm run ${script}: ${signal} to npm alone stops the program in order`, async (t) => {
      const tree = ProcessTree.start(t, { ...(await repository(t)), words: ['run', script] });
      await tree.says(/\[\]/);
      tree.child.kill(signal);
      await tree.leavesNothing();
      await tree.says(signal === 'SIGINT' ? /interrupted/ : /stopped in order/);
    });

test('npm ends after the program', async (t) => {
  const tree = ProcessTree.start(t, { ...(await repository(t)), words: ['start'] });
  await tree.says(/\[\]/);
  tree.child.kill('SIGTERM');
  await tree.exit();
  assert.deepEqual(tree.processes(), []);
  await tree.says(/stopped in order/);
});

test('SIGKILL to the launcher stops the program in order', async (t) => {
  const tree = ProcessTree.start(t, { ...(await repository(t)), words: ['start'] });
  await tree.says(/\[\]/);
  process.kill(tree.pidOf(/^node dev\/stack\/launch\.mjs/), 'SIGKILL');
  await tree.leavesNothing();
  await tree.says(/stopped in order/);
});

test('SIGKILL to the program takes its children along', async (t) => {
  const tree = ProcessTree.start(t, { ...(await repository(t)), words: ['start'] });
  await tree.says(/\[\]/);
  process.kill(tree.pidOf(/bin\/node .*start\.ts/), 'SIGKILL');
  await tree.leavesNothing();
  assert.equal((await tree.exit()).code, 137);
});

test('Ctrl-C in a terminal stops the program once', async (t) => {
  const options = { ...(await repository(t)), words: ['start'], isInTerminal: true };
  const tree = ProcessTree.start(t, options);
  await tree.says(/\[\]/);
  tree.child.stdin?.write('\x03');
  await tree.leavesNothing();
  await tree.says(/interrupted/);
});

test('a closed terminal stops everything', async (t) => {
  const options = { ...(await repository(t)), words: ['start'], isInTerminal: true };
  const tree = ProcessTree.start(t, options);
  await tree.says(/\[\]/);
  tree.child.kill('SIGKILL');
  await tree.leavesNothing();
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)
  test(`${signal} to npm while packages are installed stops the installation`, async (t) => {
    const sandbox = await repository(t, NEVER_INSTALLS);
    const tree = ProcessTree.start(t, { ...sandbox, words: ['start'] });
    await tree.says(/downloading/);
    tree.child.kill(signal);
    await tree.leavesNothing();
    assert.doesNotMatch(tree.output, /\[\]/);
  });

test('the progress of the installation is not on standard output', async (t) => {
  const sandbox = await repository(t, INSTALLS);
  const words = ['run', '--silent', 'start', '--', '--json'];
  const tree = ProcessTree.start(t, { ...sandbox, words });
  await tree.says(/\["--json"\]/);
  assert.equal(tree.stdout, '["--json"]\n');
  assert.match(tree.stderr, /installing packages[^]*added 1 package/);
});
