/** Goal: a stop ends in bounded time, whatever hangs, and the log names what hung. Method: real processes that get SIGTERM. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';

/** pino's number of the level. */
const FATAL = 60;

interface Ended {
  readonly code: number | null;
  readonly lines: readonly Record<string, unknown>[];
}

/**
 * Starts a service of these parts, sends it SIGTERM once it is up, and waits for its end.
 * @param parts source text: elements of an array of `ShutdownHook`.
 * @param failure source text, run at the end of the start.
 */
async function stopped(t: TestContext, parts: string, failure = ''): Promise<Ended> {
  const source = `
    import { openLog, runService } from '@fit/service';
    const never = () => new Promise(() => undefined);
    const log = openLog('test');
    // Keeps the process alive, as a server does.
    setInterval(() => undefined, 60_000);
    await runService(log, async (shutdownHooks) => {
      shutdownHooks.push(${parts});
      ${failure}
      log.info('up');
    }, { stopDeadlineMs: 300 });
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const lines: Record<string, unknown>[] = [];
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Record<string, unknown>;
    lines.push(line);
    if (line['msg'] === 'up') child.kill('SIGTERM');
  }
  const [code] = (await exited) as [number | null];
  return { code, lines };
}

test('a part that hangs is named, with the parts that were not reached, and the exit code is 1', {
  timeout: 60_000,
}, async (t) => {
  const { code, lines } = await stopped(
    t,
    `{ part: 'store', stop: () => undefined }, { part: 'server', stop: never }, { part: 'worker', stop: async () => undefined }`,
  );
  const last = lines.find(({ level }) => level === FATAL);
  assert.equal(code, 1, JSON.stringify(lines));
  assert.deepEqual([last?.['part'], last?.['not_stopped']], ['server', ['store']]);
  assert.match(String(last?.['msg']), /^server did not stop within 300 ms/);
});

test('a failed start ends within the deadline although a part hangs', {
  timeout: 60_000,
}, async (t) => {
  const { code, lines } = await stopped(
    t,
    `{ part: 'store', stop: never }`,
    `throw new Error('no broker');`,
  );
  assert.equal(code, 1);
  assert.deepEqual(lines.map(({ msg }) => String(msg).slice(0, 9)).sort(), [
    'no broker',
    'store did',
  ]);
});

test('a stop during the start is not reported as a failed start', {
  timeout: 60_000,
}, async (t) => {
  const { code, lines } = await stopped(
    t,
    `{ part: 'store', stop: async () => undefined }`,
    `log.info('up');
     await new Promise((_, reject) => {
       process.once('SIGTERM', () => { reject(new Error('the store was closed')); });
     });`,
  );
  assert.equal(code, 0, JSON.stringify(lines));
  assert.deepEqual(
    lines.filter(({ level }) => level === FATAL),
    [],
  );
});

test('parts stop in reverse order, a part that fails does not prevent the others, and the exit code is 0', {
  timeout: 60_000,
}, async (t) => {
  const { code, lines } = await stopped(
    t,
    `{ part: 'store', stop: () => log.info('store') }, { part: 'server', stop: () => { throw new Error('late'); } }, { part: 'worker', stop: async () => log.info('worker') }`,
  );
  assert.equal(code, 0, JSON.stringify(lines));
  // A line that is being written when the process ends may come after those that are flushed at its end.
  const parts = lines.map(({ msg, part }) => String(part ?? msg));
  assert.deepEqual(
    parts.filter((name) => ['worker', 'server', 'store'].includes(name)),
    ['worker', 'server', 'store'],
  );
});
