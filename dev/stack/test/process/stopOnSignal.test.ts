/** Goal: the first request stops in order, its copies have no effect, the second kills. Method: a program and signals. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';

const MODULE = JSON.stringify(join(import.meta.dirname, '../../src/process/stopOnSignal.ts'));

/** Its stop ends only when a line is sent to it. */
const PROGRAM = `
import { stopOnSignal } from ${MODULE};
const signal = stopOnSignal(async () => console.log('killed all'));
signal.addEventListener('abort', () => console.log('stopping: ' + signal.reason.message));
process.stdin.once('data', () => process.exit(signal.aborted ? 4 : 5));
console.log('up');
`;

async function program(t: TestContext) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM]);
  t.after(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const lines: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    lines.push(...text.trim().split('\n'));
  });
  const prints = (line: string) =>
    eventually(() => lines.includes(line), { describe: () => lines.join('\n') });
  await prints('up');
  return { child, exited, lines, prints };
}

test('copies of the first request have no effect', async (t) => {
  const { child, exited, lines, prints } = await program(t);
  // Both signals are pending before the program handles the first, as when a terminal and npm send one each.
  child.kill('SIGSTOP');
  child.kill('SIGINT');
  child.kill('SIGTERM');
  child.kill('SIGCONT');
  await eventually(() => lines.some((line) => line.startsWith('stopping')), {
    describe: () => lines.join('\n'),
  });
  child.stdin.write('go on\n');
  assert.deepEqual(await exited, [4, null]);
  assert.equal(lines.filter((line) => line.startsWith('stopping')).length, 1);
  assert.equal(lines.includes('killed all'), false);
  await prints('up');
});

test('a second request kills, and ends with code 130', async (t) => {
  const { child, exited, prints } = await program(t);
  child.kill('SIGTERM');
  await prints('stopping: stopped by SIGTERM');
  const insisting = setInterval(() => child.kill('SIGTERM'), 50);
  t.after(() => {
    clearInterval(insisting);
  });
  assert.deepEqual(await exited, [130, null]);
  await prints('killed all');
});
