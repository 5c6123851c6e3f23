/** Starts the whole board: main service, producer, consumers. One that ends is started again after a second. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setting, whenStopped } from './process.ts';

const RESTART_MS = 1_000;

const { values } = parseArgs({
  options: { workers: { type: 'string', default: '2' }, help: { type: 'boolean' } },
});
const consumers = Number(values.workers);
if (values.help === true || !Number.isInteger(consumers) || consumers < 0) {
  console.log('task-board [--workers 2]: main service, producer, and so many consumers');
  process.exit(values.help === true ? 0 : 2);
}
const port = setting('PORT', '8080');
const stopping = new AbortController();

const running = [
  keepRunning('main', 'mainService.ts'),
  keepRunning('producer', 'producer.ts'),
  ...Array.from({ length: consumers }, (_, index) =>
    keepRunning(`consumer-${index + 1}`, 'consumer.ts'),
  ),
];
console.log(`task board: http://127.0.0.1:${port}/api/v1/create-task`);
await whenStopped();
stopping.abort();
await Promise.all(running);
process.exit();

async function keepRunning(name: string, file: string): Promise<void> {
  const { signal } = stopping;
  for (;;) {
    const { MONGODB_URL, ...environment } = process.env;
    const child = fork(join(import.meta.dirname, file), {
      env: {
        ...environment,
        // Consumers know nothing of the database.
        ...(file === 'consumer.ts' ? {} : { MONGODB_URL }),
        PORT: port,
        MAIN_URL: setting('MAIN_URL', `http://127.0.0.1:${port}`),
      },
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
