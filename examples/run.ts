/**
 * `npm run example -- NAME [options]`: starts the servers that an example needs, on free ports, then the example's own
 * `start.ts` with the addresses in its environment. What follows the name belongs to the example, but for `--packed`.
 */
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installExample, makeTarballs } from '@fit/packages';
import {
  defaultFolder,
  freePorts,
  INTERRUPTED_EXIT_CODE,
  killProcessesOnFolder,
  type ServerName,
  type Stack,
  StackError,
  type StepOptions,
  startStack,
  stopOnSignal,
  withoutLogin,
} from '@fit/stack';

/** An example is the folder of its name; its `start.ts` runs its services until a stop signal. */
interface Example {
  readonly shows: string;
  /** `gateway` is the database, and needs `postgresql`. */
  readonly servers: readonly ServerName[];
}

/** The key is the name of the folder. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  'message-queue': {
    shows: 'a producer and consumers to practise operations on',
    servers: ['rabbitmq'],
  },
  'job-queue': {
    shows: 'accounts, types of jobs, priorities, workers that scale',
    servers: ['rabbitmq', 'postgresql', 'gateway'],
  },
  'task-board': {
    shows: 'status by REST only, dead letters that mark errors',
    servers: ['rabbitmq', 'postgresql', 'gateway'],
  },
  'task-events': {
    shows: 'events by an outbox, notifications that are not repeated, a cache, two API instances',
    servers: ['rabbitmq', 'postgresql', 'gateway', 'redis'],
  },
};

const USAGE = `npm run example -- NAME [options of the example; --help prints them]

${Object.entries(EXAMPLES)
  .map(([name, { shows }]) => `  ${name.padEnd(14)} ${shows}`)
  .join('\n')}

The servers listen on free ports of 127.0.0.1, and their data is deleted at the end. With AMQP_URL or MONGODB_URL in the
environment those servers are used instead. Ctrl-C stops everything. The exit code is that of the example, and 130 if it
was stopped.

  --packed  builds the packages, and runs a copy of the example in which they are installed, as a stranger would have it`;

const [name = '', ...words] = process.argv.slice(2);
const isPacked = words.includes('--packed');
const options = words.filter((word) => word !== '--packed');
const SOURCES = join(import.meta.dirname, name);
/** Deleted at the end. */
let copies: string | undefined;
const example = Object.hasOwn(EXAMPLES, name) ? EXAMPLES[name] : undefined;
if (example === undefined) {
  console.error(USAGE);
  process.exitCode = ['', '--help', '-h'].includes(name) ? 0 : 2;
} else if (options.includes('--help')) {
  process.exitCode = await runExample(SOURCES, {}, new AbortController().signal);
} else {
  process.exitCode = await startServersAndRun(example);
}

/** @returns the exit code. */
async function startServersAndRun({ servers }: Example): Promise<number> {
  const startedAt = performance.now();
  const log = (line: string): void => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6);
    console.error(`${seconds} s  ${line}`);
  };
  const stackName = `example-${name}`;
  const stopped = stopOnSignal(() => killProcessesOnFolder(defaultFolder(stackName)));
  try {
    const stack = await startStack({
      name: stackName,
      ports: await freePorts(),
      servers,
      isFresh: true,
      onProgress: log,
      signal: stopped,
    });
    try {
      if (stack.managementUrl !== undefined)
        log(`RabbitMQ management (guest, guest): ${withoutLogin(stack.managementUrl)}`);
      const folder = isPacked ? await installedCopy({ onProgress: log, signal: stopped }) : SOURCES;
      log(`starting ${name} in ${folder}; Ctrl-C stops everything`);
      return await runExample(folder, addressesOf(stack), stopped);
    } finally {
      log('stopping the servers');
      await stack.stop({ purge: true });
      if (copies !== undefined) await rm(copies, { recursive: true, force: true, maxRetries: 5 });
    }
  } catch (error) {
    console.error(error instanceof StackError ? error.message : error);
    return stopped.aborted ? INTERRUPTED_EXIT_CODE : 1;
  }
}

/** @returns the folder of the copy. */
async function installedCopy(step: StepOptions): Promise<string> {
  copies = await mkdtemp(join(tmpdir(), 'fit-example-'));
  const folder = join(copies, name);
  await installExample(name, folder, await makeTarballs(copies, step), step);
  return folder;
}

function addressesOf(stack: Stack): Record<string, string> {
  const redis = stack.servers.find((server) => server.name === 'redis')?.url;
  return {
    AMQP_URL: stack.amqpUrl,
    MONGODB_URL: stack.mongodbUrl,
    // The stack's Redis listens on a socket only; clients take its path in place of a URL.
    ...(redis === undefined ? {} : { REDIS_URL: redis.replace(/^unix:/, '') }),
  };
}

/** The example ends by itself when this process is killed, since the channel between the two is then closed. */
async function runExample(
  folder: string,
  addresses: Readonly<Record<string, string>>,
  stopped: AbortSignal,
): Promise<number> {
  // Without the condition by which this repository runs the sources of the packages.
  const nodeOptions = folder === SOURCES ? (process.env['NODE_OPTIONS'] ?? '') : '';
  const program = fork(join(folder, 'start.ts'), options, {
    cwd: folder,
    env: { ...process.env, ...addresses, NODE_OPTIONS: `${nodeOptions} --no-warnings` },
    // A group of its own: Ctrl-C reaches this process alone, which passes it on once.
    detached: true,
  });
  const stop = (): void => {
    program.kill('SIGTERM');
  };
  if (stopped.aborted) stop();
  stopped.addEventListener('abort', stop);
  const code = await new Promise<number>((resolve) => {
    program.once('exit', (exitCode) => {
      resolve(exitCode ?? 1);
    });
    program.once('error', (error) => {
      console.error(error);
      resolve(1);
    });
  });
  return stopped.aborted ? INTERRUPTED_EXIT_CODE : code;
}
