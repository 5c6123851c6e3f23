/** Runs two API instances, a load balancer and notification workers natively, as docker-compose.yml does in containers. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { measureLoad } from './load.ts';

const USAGE = `start.ts [--workers N] [--load N [--concurrency C]]

  --workers N      notification workers, default 2
  --load N         sends N requests, C at a time (default 20), prints throughput and a histogram of latencies, and stops

Environment: AMQP_URL, MONGODB_URL, REDIS_URL; PORT (3000) of the load balancer, where 0 takes a free one; see .env.example.`;
const RESTART_PAUSE_MS = 1_000;
const API_INSTANCES = 2;

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '2' },
    load: { type: 'string' },
    concurrency: { type: 'string', default: '20' },
    help: { type: 'boolean', default: false },
  },
});
const workers = countOf('--workers', values.workers);
const load = countOf('--load', values.load);
const concurrency = countOf('--concurrency', values.concurrency);
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const stopping = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const)
  process.on(signal, () => {
    stopping.abort();
  });

// Instances and workers take free ports, because only the load balancer is asked from outside.
const instances = Array.from({ length: API_INSTANCES }, () => keepRunning('api', '0'));
const notifiers = Array.from({ length: workers ?? 2 }, () => keepRunning('notifier', '0'));
const services = [...instances, ...notifiers];
try {
  const addresses = await Promise.all(services.map(({ ready }) => ready));
  const balancer = keepRunning('balancer', process.env['PORT'] ?? '3000', {
    INSTANCES: addresses.slice(0, API_INSTANCES).join(','),
  });
  services.push(balancer);
  const api = await balancer.ready;
  console.log(`started: API at ${api}, its description at ${api}/docs`);
  if (load !== undefined) {
    await measureLoad({
      api,
      requests: load,
      concurrency: concurrency ?? 20,
      signal: stopping.signal,
    });
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
function keepRunning(name: string, port: string, variables: Readonly<Record<string, string>> = {}) {
  const ready = Promise.withResolvers<string>();
  const run = async (): Promise<void> => {
    const state = { wasReady: false, port };
    for (;;) {
      // The channel to the child tells it that this process has ended, however it ended.
      const child = fork(join(import.meta.dirname, `${name}.ts`), {
        env: {
          ...process.env,
          ...variables,
          PORT: state.port,
        },
      });
      child.on('message', (message: { readonly ready: string }) => {
        state.wasReady = true;
        // It comes back on the same port, which others know.
        state.port = new URL(message.ready).port;
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
