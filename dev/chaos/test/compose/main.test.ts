/** Goal: the check says what it cannot do and leaves nothing. Method: the program itself, without the programs that it needs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const PROGRAM = join(import.meta.dirname, '../../src/compose/main.ts');

interface Answer {
  readonly status: number | null;
  readonly output: string;
}

function run(args: readonly string[], environment: Record<string, string> = {}): Answer {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  return { status, output: stdout + stderr };
}

test('without Docker and the programs that make namespaces it says why, exits with 3, and leaves no folder', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fit-compose-main-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  for (const args of [[], ['--daemon', 'own'], ['--daemon', 'running']]) {
    const { status, output } = run(args, { PATH: folder, TMPDIR: folder });
    assert.equal(status, 3, output);
    assert.match(output, /cannot run here: .+/);
    assert.deepEqual(readdirSync(folder), []);
  }
});

test('--help tells the exit codes; what is no option or no daemon exits with 2 and is named', () => {
  const help = run(['--help']);
  assert.equal(help.status, 0);
  assert.match(help.output, /3: it cannot run here/);
  for (const args of [
    ['--deamon', 'own'],
    ['--daemon', 'none'],
  ]) {
    const { status, output } = run(args);
    assert.equal(status, 2, output);
    assert.match(output, new RegExp(args[0] === '--deamon' ? '--deamon' : "'none'"));
  }
});
