/** Goal: a check that cannot run reports why and leaves no process or file. Method: the program, without the programs that it needs. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../support/programs.ts';

async function runCheck(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return await runProgram(['dev/chaos/src/compose/main.ts', ...args], { ...process.env, ...env });
}

test('without Docker and the programs for namespaces the check says why, ends with 3, and leaves no folder', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fit-compose-main-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  for (const args of [[], ['--daemon', 'own'], ['--daemon', 'running']]) {
    const { code, output } = await runCheck(args, { PATH: folder, TMPDIR: folder });
    assert.equal(code, 3, output);
    assert.match(output, /cannot run here: .+/);
    assert.deepEqual(readdirSync(folder), []);
  }
});

test('--help lists the exit codes; a wrong option or daemon is named and ends with 2', async () => {
  const help = await runCheck(['--help']);
  assert.equal(help.code, 0);
  assert.match(help.output, /3: it cannot run here/);
  for (const args of [
    ['--deamon', 'own'],
    ['--daemon', 'none'],
  ]) {
    const { code, output } = await runCheck(args);
    assert.equal(code, 2, output);
    assert.match(output, new RegExp(args[0] === '--deamon' ? '--deamon' : "'none'"));
  }
});
