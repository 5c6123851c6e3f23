/** Runs the producer and its consumers natively, as docker-compose.yml does in containers: what ends is started again. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { measureLoad } from './load.ts';

const USAGE = `start.ts [--workers N] [--load N]

  --workers N  consumers, default 1; the first one listens on CONSUMER_PORT (8000), the next one on 8001, and so on
  --load N     produces N messages, prints throughput and percentiles, and stops

Environment: AMQP_URL; PRODUCER_PORT (5000), CONSUMER_PORT (8000), where 0 takes free ones; see .env.example.`;
const RESTART_PAUSE_MS = 1_000;

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '1' },
    load: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const [workers, load] = [countOf('--workers', values.workers), countOf('--load', values.load)];
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const stopping = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const)
  process.on(signal, () => {
    stopping.abort();
  });

const producerPort = Number(process.env['PRODUCER_PORT'] ?? 5_000);
const consumerPort = Number(process.env['CONSUMER_PORT'] ?? 8_000);
const services = [
  keepRunning('producer', producerPort),
  ...Array.from({ length: workers ?? 1 }, (_, index) =>
    keepRunning('consumer', consumerPort === 0 ? 0 : consumerPort + index),
  ),
];
try {
  const [producer = '', ...consumers] = await Promise.all(services.map(({ ready }) => ready));
  console.log(`started: producer at ${producer}, ${consumers.length} consumers`);
  if (load !== undefined) {
    await measureLoad({ producer, consumers, count: load, signal: stopping.signal });
    stopping.abort();
  }
} catch (error) {
  if (!isStopping()) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
  stopping.abort();
}
await Promise.all(services.map(({ ended }) => ended));
process.exit();

/** Starts a service, and again whenever it ends before the stop; one that never became ready is given up. */
function keepRunning(name: string, port: number) {
  const ready = Promise.withResolvers<string>();
  const run = async (): Promise<void> => {
    const state = { wasReady: false };
    for (;;) {
      // The channel to the child tells it that this process has ended, however it ended.
      const child = fork(join(import.meta.dirname, `${name}.ts`), {
        env: {
          ...process.env,
          PORT: String(port),
          ...(load === undefined ? {} : { LOG_LEVEL: 'warn' }),
        },
      });
      child.on('message', (message: { readonly ready: string }) => {
        state.wasReady = true;
        ready.resolve(message.ready);
      });
      const exit = await endOf(child);
      if (isStopping() || !state.wasReady) {
        ready.reject(new Error(`${name} did not start: ${exit}`));
        return;
      }
      console.log(`${name} ended (${exit}), and is started again`);
      await pause(RESTART_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (isStopping()) return;
    }
  };
  return { ready: ready.promise, ended: run() };
}

function isStopping(): boolean {
  return stopping.signal.aborted;
}

async function endOf(child: ChildProcess): Promise<string> {
  const stop = (): void => {
    child.kill('SIGTERM');
  };
  if (isStopping()) stop();
  stopping.signal.addEventListener('abort', stop);
  try {
    return await new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        resolve(signal ?? `code ${String(code)}`);
      });
    });
  } finally {
    stopping.signal.removeEventListener('abort', stop);
  }
}

function countOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000_000) return count;
  console.error(`${option} must be a whole number from 1 to 1000000, not '${text}'`);
  process.exit(2);
}
