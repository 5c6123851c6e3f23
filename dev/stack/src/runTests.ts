/**
 * The body of `npm test`: a broker and a database of its own on free ports, then Node's test runner on every
 * workspace. `--only <glob>` runs some files. Exit code 0 means that all passed, and that none was left out unseen.
 */
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { freePorts, isWrongOption, type Stack, StackError, startStack } from './index.ts';
import { defaultFolder } from './launch/stackState.ts';
import { sweepFolder } from './launch/sweepFolder.ts';
import { withoutLogin } from './launch/withoutLogin.ts';
import { stopOnSignal } from './process/stopOnSignal.ts';
import { ensureRoot } from './root/ensureRoot.ts';
import { BROKER_SUITES, BROWSER_ROOT, type BrokerSuite, brokerSuiteOf } from './root/recipe.ts';
import { askManagement } from './testing/testServer.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const WORKSPACES = [
  'topology',
  'topology-cli',
  'jobs',
  'contract',
  'service',
  'client',
  'console',
  'monolith',
  'coach',
  'prometheus',
  'examples',
  'dev/stack',
  'dev/chaos',
];

/** A glob without a match runs no test and exits 0 (Node 24.21): so a lower number is a failure. Raise it with them. */
const MINIMUM_TESTS = 1_000;
/** The machine also carries a broker and a database. */
const FILES_AT_A_TIME = 2;
/** The longest take two minutes beside another file on two cores. */
const FILE_LIMIT_MS = 300_000;
const LATE_MS = 10_000;
/** CI gives half an hour. A process that spins at its exit is beyond its own limit. */
const RUN_LIMIT_MS = 28 * 60_000;
/** Of a file's path: in such a folder tests open a browser. */
const BROWSER_TESTS = join(sep, 'test', 'browser', sep);

/**
 * A letter that a full queue refused is offered again after 180 s: no test waits so long. A broker that was given keeps
 * its own time, and the tests theirs.
 */
const BROKER_SETTINGS = { dead_letter_worker_publisher_confirm_timeout: 3_000 };

const USAGE = `npm test [-- options]

  --only '<glob>'         test files, such as 'jobs/test/**/*.test.ts'; default all
  --broker-suite <suite>  the RabbitMQ of this Debian: ${BROKER_SUITES.join(', ')}; default sid

Exit code 0: all passed, and none was left out; 1: not so; 2: no such option.`;

const INTERRUPTED = 130;
const STACK_NAME = `test-${process.pid}`;
const late = new AbortController();
const interrupted = AbortSignal.any([
  stopOnSignal(() => sweepFolder(defaultFolder(STACK_NAME))),
  late.signal,
]);
const interruption = once(interrupted, 'abort').then(() => {
  console.error('stopping');
});
setTimeout(() => {
  late.abort(new StackError('STOPPED', `not ended within ${RUN_LIMIT_MS / 60_000} minutes`));
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
  console.error(error instanceof StackError || isWrongOption(error) ? error.message : error);
  process.exitCode = isWrongOption(error) ? 2 : 1;
}
if (interrupted.aborted) process.exit(INTERRUPTED);

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
  if (files.some((file) => file.includes(BROWSER_TESTS))) await prepareBrowser();
  console.error(`${files.length} test files; starting a broker and a database for them`);
  const stack = await startServers(brokerSuite);
  try {
    await announce(stack, brokerSuite);
    return interrupted.aborted ? INTERRUPTED : await runFiles(files, minimum);
  } finally {
    await stack.stop({ purge: true });
  }
}

/** A start that was interrupted leaves no folder; one that failed leaves it, for its logs. */
async function startServers(brokerSuite: BrokerSuite): Promise<Stack> {
  try {
    return await startStack({
      name: STACK_NAME,
      ports: await freePorts(),
      signal: interrupted,
      services: ['rabbitmq', 'gateway'],
      brokerSuite,
      brokerSettings: BROKER_SETTINGS,
    });
  } catch (error) {
    if (interrupted.aborted)
      await rm(defaultFolder(STACK_NAME), { recursive: true, force: true, maxRetries: 5 });
    throw error;
  }
}

/** Built here, since the limit of a test file is not made for a slow mirror. Without it all other files have their run. */
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

/** Every workspace with a test folder must bring tests: a renamed folder would go unseen otherwise. */
function allFiles(): string[] {
  const folders = [...WORKSPACES.map((name) => join(name, 'test')), 'test'];
  return folders
    .filter((folder) => existsSync(join(ROOT, folder)))
    .flatMap((folder) => filesOf(`${folder}/**/*.test.ts`));
}

function filesOf(pattern: string): string[] {
  const files = globSync(pattern, { cwd: ROOT }).sort();
  if (files.length === 0) throw new StackError('COMMAND_FAILED', `no test file matches ${pattern}`);
  return files.map((file) => join(ROOT, file));
}

/** The tests find the servers by these; the ones that they start themselves must not meet a given one. */
async function announce(stack: Stack, brokerSuite: BrokerSuite): Promise<void> {
  const management = stack.managementUrl;
  if (management === undefined)
    throw new StackError('COMMAND_FAILED', 'with AMQP_URL give AMQP_MANAGEMENT_URL, too');
  process.env['FIT_TEST_BROKER_SUITE'] = brokerSuite;
  process.env['FIT_TEST_FILE_LIMIT_MS'] = String(FILE_LIMIT_MS + LATE_MS);
  process.env['FIT_TEST_AMQP_URL'] = stack.amqpUrl;
  process.env['FIT_TEST_MANAGEMENT_URL'] = withCredentials(management, stack.amqpUrl);
  process.env['FIT_TEST_MONGODB_URL'] = stack.mongodbUrl;
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

/** @returns the exit code; what the runner prints last is its own summary. */
async function runFiles(files: readonly string[], minimum: number): Promise<number> {
  const stream = run({
    files,
    concurrency: FILES_AT_A_TIME,
    timeout: FILE_LIMIT_MS,
    execArgv: ['--import', join(import.meta.dirname, 'testing/endLate.ts')],
    signal: interrupted,
  });
  const result = { testCount: 0, hasFailed: false };
  stream.on('test:summary', ({ file, counts, success }) => {
    if (file === undefined) result.testCount = counts.tests;
    result.hasFailed ||= !success;
  });
  const printed = pipeline(stream.compose(spec), process.stdout, { end: false });
  // An aborted run ends its test processes, but never its own stream (Node 24.21).
  await Promise.race([printed, interruption]);
  if (interrupted.aborted) return INTERRUPTED;
  const isShort = result.testCount < minimum;
  if (isShort) console.error(`only ${result.testCount} tests ran; at least ${minimum} exist`);
  return result.hasFailed || isShort ? 1 : 0;
}
