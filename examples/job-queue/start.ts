/** Starts the whole system: user service, job service, workers. A process that ends is started again after a second. */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setting, whenStopped } from './process.ts';

const RESTART_MS = 1_000;

const { values } = parseArgs({
  options: { workers: { type: 'string', default: '2' }, help: { type: 'boolean' } },
});
const workers = Number(values.workers);
if (values.help === true || !Number.isInteger(workers) || workers < 0) {
  console.log('job-queue [--workers 2]: user service, job service, and so many workers');
  process.exit(values.help === true ? 0 : 2);
}
// Without a secret of its own a start makes one, and tokens of an earlier start are void.
const secret = setting('JWT_SECRET', randomBytes(32).toString('hex'));
const stopping = new AbortController();

const running = [
  keepRunning('users', 'userService.ts'),
  keepRunning('jobs', 'jobService.ts'),
  ...Array.from({ length: workers }, (_, index) => keepRunning(`worker-${index + 1}`, 'worker.ts')),
];
console.log(
  `job queue: accounts on port ${setting('USER_PORT', '5001')}, jobs on port ${setting('JOB_PORT', '5002')}`,
);
await whenStopped();
stopping.abort();
await Promise.all(running);
process.exit();

async function keepRunning(name: string, file: string): Promise<void> {
  const { signal } = stopping;
  for (;;) {
    const child = fork(join(import.meta.dirname, file), {
      env: { ...process.env, JWT_SECRET: secret },
      // A group of its own: Ctrl-C reaches this process alone, which stops all.
      detached: true,
    });
    console.log(`${name}: process ${child.pid}`);
    const stop = () => child.kill('SIGTERM');
    signal.addEventListener('abort', stop);
    const [code, killedBy] = (await once(child, 'exit')) as [number | null, string | null];
    signal.removeEventListener('abort', stop);
    try {
      await pause(RESTART_MS, undefined, { signal });
    } catch {
      return;
    }
    console.error(`${name}: ended (${code ?? killedBy}), started again`);
  }
}
