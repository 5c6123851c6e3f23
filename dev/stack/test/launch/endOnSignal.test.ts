/** Goal: an interrupted campaign leaves nothing. Method: a program that starts a real server, and a signal. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { processesOnFolder } from '../../src/process/processTable.ts';

const PROGRAM = `
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts, startStack } from ${JSON.stringify(join(import.meta.dirname, '../../src/index.ts'))};
const folder = join(mkdtempSync(join(tmpdir(), 'fit-signal-')), 'stack');
const options = { name: 'signal', folder, ports: await freePorts(), servers: ['alertmanager'] };
await startStack({ ...options, endsOnSignal: true });
console.log('up in ' + folder);
setInterval(() => undefined, 1_000);
`;

test('a signal stops the servers, removes their folder and ends the program with 130', async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM]);
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const folder = await eventually(() => /^up in (.+)$/m.exec(output)?.[1], {
    deadlineMs: 60_000,
    describe: () => output,
  });
  assert.notDeepEqual(processesOnFolder(folder), []);
  const exit = once(child, 'exit') as Promise<[number | null]>;
  child.kill('SIGINT');
  assert.deepEqual((await exit)[0], 130, output);
  assert.deepEqual(processesOnFolder(folder), []);
  assert.equal(existsSync(folder), false);
});
