/**
 * `npm test`: starts a broker and a database on free ports, then runs Node's test runner on every workspace.
 * `--only <glob>` runs some files.
 */
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import type { Stack } from '../launch/runningStack.ts';
import { defaultFolder, withoutLogin } from '../launch/stackFolder.ts';
import { startStack } from '../launch/startStack.ts';
import { freePorts } from '../ports.ts';
import { killProcessesOnFolder } from '../process/processTable.ts';
import { INTERRUPTED_EXIT_CODE, isOptionError, stopOnSignal } from '../process/stopOnSignal.ts';
import {
  BROKER_SUITES,
  BROWSER_ROOT,
  type BrokerSuite,
  brokerSuiteOf,
  ensureRoot,
} from '../root/rootFolders.ts';
import { StackError } from '../stackError.ts';
import { askManagement } from './testServers.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');
/**
 * Fewer tests are a failure, since the runner exits with 0 when a glob matches no file (Node 24.21). Raise the number as
 * tests are added.
 */
const MINIMUM_TESTS = 1_500;
/** Test files that run at a time; the machine also runs a broker and a database. */
const CONCURRENT_FILES = 2;
/** The longest files take two minutes beside another file on two cores. */
const FILE_LIMIT_MS = 300_000;
/** From the limit of a file, at which the runner fails its tests, to the end of its process. */
const FILE_EXIT_MS = 10_000;
/** CI allows half an hour. This bounds a process that hangs at its exit, where the limit of a file has no effect. */
const RUN_LIMIT_MS = 28 * 60_000;
/** Part of the path of tests that open a browser. */
const BROWSER_FOLDER = join(sep, 'test', 'browser', sep);

/**
 * The broker offers a dead letter that a full queue refused again after this time, by default after 180 s, for which no
 * test waits. A given broker keeps its own setting, and the tests that need this one are skipped there.
 */
const BROKER_SETTINGS = { dead_letter_worker_publisher_confirm_timeout: 3_000 };

const USAGE = `npm test [-- options]

  --only '<glob>'         test files, such as 'jobs/test/**/*.test.ts'; default all
  --broker-suite <suite>  the RabbitMQ of this Debian: ${BROKER_SUITES.join(', ')}; default sid

Exit code 0: all passed, and at least the known number ran; 1: not; 2: a wrong option; 130: stopped.`;

const STACK_NAME = `test-${process.pid}`;
const timeout = new AbortController();
const interrupted = AbortSignal.any([
  stopOnSignal(() => killProcessesOnFolder(defaultFolder(STACK_NAME))),
  timeout.signal,
]);
const interruption = once(interrupted, 'abort').then(() => {
  console.error('stopping');
});
setTimeout(() => {
  timeout.abort(new StackError('STOPPED', `not ended within ${RUN_LIMIT_MS / 60_000} minutes`));
}, RUN_LIMIT_MS).unref();

try {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      'broker-suite': { type: 'string', default: 'sid' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) console.log(USAGE);
  else process.exitCode = await runTests(values.only, values['broker-suite']);
} catch (error) {
  console.error(error instanceof StackError || isOptionError(error) ? error.message : error);
  process.exitCode = isOptionError(error) ? 2 : 1;
}
if (interrupted.aborted) process.exit(INTERRUPTED_EXIT_CODE);

/** @returns the exit code. */
async function runTests(only: string | undefined, suite: string): Promise<number> {
  const brokerSuite = brokerSuiteOf(suite);
  if (brokerSuite === undefined)
    throw new StackError(
      'COMMAND_FAILED',
      `--broker-suite '${suite}' is none of ${BROKER_SUITES.join(', ')}`,
    );
  const files = only === undefined ? allFiles() : filesOf(only);
  const minimum = only === undefined ? MINIMUM_TESTS : 1;
  if (files.some((file) => file.includes(BROWSER_FOLDER))) await prepareBrowser();
  console.error(`${files.length} test files; starting a broker and a database for them`);
  const stack = await startServers(brokerSuite);
  try {
    await publishAddresses(stack, brokerSuite);
    return interrupted.aborted ? INTERRUPTED_EXIT_CODE : await runFiles(files, minimum);
  } finally {
    await stack.stop({ purge: true });
  }
}

/** Removes the folder of a start that was interrupted; a start that failed keeps it, for its logs. */
async function startServers(brokerSuite: BrokerSuite): Promise<Stack> {
  try {
    return await startStack({
      name: STACK_NAME,
      ports: await freePorts(),
      signal: interrupted,
      servers: ['rabbitmq', 'gateway'],
      brokerSuite,
      brokerSettings: BROKER_SETTINGS,
    });
  } catch (error) {
    if (interrupted.aborted)
      await rm(defaultFolder(STACK_NAME), { recursive: true, force: true, maxRetries: 5 });
    throw error;
  }
}

/** Builds the browser before the tests, whose time limit a slow mirror would exceed. Without it all other files still run. */
async function prepareBrowser(): Promise<void> {
  try {
    await ensureRoot(BROWSER_ROOT, {
      onProgress: (line) => {
        console.error(line);
      },
      signal: interrupted,
    });
  } catch (error) {
    interrupted.throwIfAborted();
    console.error(error instanceof StackError ? error.message : error);
  }
}

/** Every workspace with a test folder must have tests; otherwise the tests of a renamed folder would silently not run. */
function allFiles(): string[] {
  const manifest = readFileSync(join(ROOT, 'package.json'), 'utf8');
  const { workspaces } = JSON.parse(manifest) as { workspaces: readonly string[] };
  return workspaces
    .map((name) => join(name, 'test'))
    .filter((folder) => existsSync(join(ROOT, folder)))
    .flatMap((folder) => filesOf(`${folder}/**/*.test.ts`));
}

function filesOf(pattern: string): string[] {
  const files = globSync(pattern, { cwd: ROOT }).sort();
  if (files.length === 0) throw new StackError('COMMAND_FAILED', `no test file matches ${pattern}`);
  return files.map((file) => join(ROOT, file));
}

/** Sets the variables by which tests find the servers, and removes those that would redirect stacks that tests start. */
async function publishAddresses(stack: Stack, brokerSuite: BrokerSuite): Promise<void> {
  const management = stack.managementUrl;
  if (management === undefined)
    throw new StackError('COMMAND_FAILED', 'with AMQP_URL give AMQP_MANAGEMENT_URL, too');
  process.env['FIT_TEST_BROKER_SUITE'] = brokerSuite;
  process.env['FIT_TEST_FILE_LIMIT_MS'] = String(FILE_LIMIT_MS + FILE_EXIT_MS);
  process.env['FIT_TEST_AMQP_URL'] = stack.amqpUrl;
  process.env['FIT_TEST_MANAGEMENT_URL'] = withCredentials(management, stack.amqpUrl);
  process.env['FIT_TEST_MONGODB_URL'] = stack.mongodbUrl;
  if (stack.psqlSession !== undefined)
    process.env['FIT_TEST_PSQL'] = JSON.stringify(stack.psqlSession);
  for (const name of ['AMQP_URL', 'AMQP_MANAGEMENT_URL', 'MONGODB_URL'])
    Reflect.deleteProperty(process.env, name);
  const overview = (await askManagement({ method: 'GET', path: '/api/overview' })) as {
    rabbitmq_version: string;
  };
  const broker = `RabbitMQ ${overview.rabbitmq_version} at ${withoutLogin(stack.amqpUrl)}`;
  console.log(`${broker}, database ${withoutLogin(stack.mongodbUrl)}`);
}

function withCredentials(managementUrl: string, amqpUrl: string): string {
  const [management, amqp] = [new URL(managementUrl), new URL(amqpUrl)];
  if (management.username === '') {
    management.username = amqp.username === '' ? 'guest' : amqp.username;
    management.password = amqp.username === '' ? 'guest' : amqp.password;
  }
  return management.href;
}

/** @returns the exit code. The runner prints its summary last. */
async function runFiles(files: readonly string[], minimum: number): Promise<number> {
  const stream = run({
    files,
    concurrency: CONCURRENT_FILES,
    timeout: FILE_LIMIT_MS,
    execArgv: ['--import', join(import.meta.dirname, 'limitTestFile.ts')],
    signal: interrupted,
  });
  const result = { testCount: 0, hasFailed: false };
  stream.on('test:summary', ({ file, counts, success }) => {
    if (file === undefined) result.testCount = counts.tests;
    result.hasFailed ||= !success;
  });
  const printed = pipeline(stream.compose(spec), process.stdout, { end: false });
  // The stream of an aborted run does not end, although its test processes do (Node 24.21).
  await Promise.race([printed, interruption]);
  if (interrupted.aborted) return INTERRUPTED_EXIT_CODE;
  const isTooFew = result.testCount < minimum;
  if (isTooFew) console.error(`only ${result.testCount} tests ran, but at least ${minimum} exist`);
  return result.hasFailed || isTooFew ? 1 : 0;
}
