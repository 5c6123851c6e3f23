/** Goal: the start in jobs/README.md and the example work as they are. Method: each as its own process, on the real servers. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually, testBroker, testDatabaseUrl } from '@fit/stack/testing';

const FOLDER = join(import.meta.dirname, '../resize');
const README = join(import.meta.dirname, '../../jobs/README.md');

async function run(t: TestContext, file: string) {
  const closers: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  const broker = await testBroker({ after: (close) => closers.push(close) });
  const env = { ...process.env, AMQP_URL: broker.amqpUrl, MONGODB_URL: testDatabaseUrl() };
  const child = spawn(process.execPath, [join(FOLDER, file)], {
    env: { ...env, NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --no-warnings` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  closers.push(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const printed = { text: '' };
  child.stdout.on('data', (text: Buffer) => (printed.text += text.toString()));
  return { child, printed, exited };
}

test('the start of the README is this file, does its job, and stops when it is asked to', async (t) => {
  const source = await readFile(join(FOLDER, 'start.ts'), 'utf8');
  assert.ok((await readFile(README, 'utf8')).includes(`\`\`\`ts\n${source}\`\`\``));
  assert.ok(source.split('\n').filter((line) => line !== '').length <= 14);
  const { child, printed, exited } = await run(t, 'start.ts');
  const describe = () => printed.text;
  // The process loads the sources of the libraries and creates collections, which takes long beside other tests.
  const limits = { deadlineMs: 60_000, describe };
  await eventually(() => printed.text.includes('resizing cat.png\n'), limits);
  await eventually(() => /^resize:cat.png (pending|queued|done)$/m.test(printed.text), limits);
  child.kill('SIGTERM');
  assert.equal(await exited, 0, printed.text);
});

test('the example reads a result, retries, replays, cancels, and ends', async (t) => {
  const { printed, exited } = await run(t, 'resizeImages.ts');
  assert.equal(await exited, 0, printed.text);
  assert.deepEqual(printed.text.trim().split('\n'), [
    'resize:cat.png done 1 64-cat.png',
    'resize:busy.png done 3 64-busy.png',
    'resize:dog.png dead 1 there is no dog.png',
    '{ replayed: 1 }',
    'resize:dog.png done 1 64-dog.png',
    'cancelled true',
  ]);
});
