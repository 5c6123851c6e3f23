/**
 * The body of `npm run test:unit`: all tests that need no server, in as many processes as there are processors.
 * Exit code 0: all passed; 1: a test failed, or fewer tests ran than exist.
 */
import childProcess, { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { run } from 'node:test';
import { dot } from 'node:test/reporters';

const REPOSITORY = resolve(import.meta.dirname, '../../../..');

/** Guards against a glob or a rule that matches nothing. Raise the number as tests are added. */
const MINIMUM_TESTS = 950;

/**
 * A test file is a unit test unless it, or a test helper that it imports, contains one of these words: each of them
 * starts a server or a process, or reads the address of one. In unit tests starting a process throws, so that a file
 * which does it by another word fails.
 */
const SERVER_WORDS = new RegExp(
  `\\b(?:${[
    'FIT_TEST_\\w+',
    'testBroker',
    'testDatabaseUrl',
    'testServerUrl',
    'askManagement',
    'startStack',
    'startSystem',
    'startChild',
    'freePorts',
    'openBrowser',
    'startDockerDaemon',
    'rootFolder',
    'ensureRoot',
    'runTool',
    'promtool',
    'amtool',
    'runCommand',
    'mustRun',
    'child_process',
    'worker_threads',
    'execa',
  ].join('|')})\\b`,
);

/** First argument of a child process of this program; its test files follow. */
const SHARD = '--shard';

const RELATIVE_IMPORT = /(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g;

/** What a child process reports when its test files have ended. */
interface ShardResult {
  readonly testCount: number;
  readonly hasFailed: boolean;
}

const [mode, ...shardFiles] = process.argv.slice(2);
if (mode === SHARD) await runShard(shardFiles);
else process.exitCode = await runShards();

/** @returns the exit code. */
async function runShards(): Promise<number> {
  const startedAt = performance.now();
  const allFiles = globSync('{*,dev/*}/test/**/*.test.ts', {
    cwd: REPOSITORY,
    exclude: ['node_modules/**'],
  });
  const files = allFiles
    .toSorted()
    .map((file) => join(REPOSITORY, file))
    .filter((file) => !needsServers(file, new Set()));
  const shardCount = Math.max(2, availableParallelism());
  const shards = Array.from({ length: shardCount }, (_, shard) =>
    files.filter((_file, index) => index % shardCount === shard),
  );
  const results = await Promise.all(shards.map(forkShard));
  const testCount = results.reduce((sum, result) => sum + result.testCount, 0);
  const hasFailed = results.some((result) => result.hasFailed);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`${testCount} unit tests in ${files.length} files, ${seconds} s`);
  if (testCount < MINIMUM_TESTS)
    console.error(`only ${testCount} tests ran, but at least ${MINIMUM_TESTS} exist`);
  return hasFailed || testCount < MINIMUM_TESTS ? 1 : 0;
}

/** @param seen the files that were looked at before, since helpers may import each other. */
function needsServers(file: string, seen: Set<string>): boolean {
  if (seen.has(file)) return false;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  if (SERVER_WORDS.test(text)) return true;
  return [...text.matchAll(RELATIVE_IMPORT)]
    .map(([, specifier = '']) => resolve(dirname(file), specifier))
    .filter((imported) => imported.includes('/test/') && existsSync(imported))
    .some((helper) => needsServers(helper, seen));
}

/** A shard that ends without a report has failed: a test file ended the process. */
async function forkShard(files: readonly string[]): Promise<ShardResult> {
  const env = { ...process.env };
  for (const name of ['AMQP_URL', 'AMQP_MANAGEMENT_URL', 'MONGODB_URL'])
    Reflect.deleteProperty(env, name);
  const shard = fork(import.meta.filename, [SHARD, ...files], { env, execArgv: [] });
  let result: ShardResult = { testCount: 0, hasFailed: true };
  shard.on('message', (message) => {
    result = message as ShardResult;
  });
  const [code] = (await once(shard, 'exit')) as [number | null];
  return { testCount: result.testCount, hasFailed: result.hasFailed || code !== 0 };
}

/** Runs the files in this process, which saves the start of a process and its imports for each file. */
async function runShard(files: readonly string[]): Promise<void> {
  refuseProcesses();
  const stream = run({ files: [...files], isolation: 'none' });
  stream.on('test:summary', ({ file, counts, success }) => {
    if (file === undefined) process.send?.({ testCount: counts.tests, hasFailed: !success });
  });
  for await (const text of stream.compose(dot)) process.stdout.write(String(text));
  process.disconnect();
}

function refuseProcesses(): void {
  const refuse = (program: unknown): never => {
    throw new Error(
      `a unit test started ${String(program)}: add the function that it called to SERVER_WORDS in ${import.meta.filename}`,
    );
  };
  const { prototype } = childProcess.ChildProcess;
  Object.assign(childProcess, { spawnSync: refuse, execSync: refuse, execFileSync: refuse });
  // All asynchronous functions of the module end here.
  Object.assign(prototype, { spawn: ({ file }: { file: string }) => refuse(file) });
  syncBuiltinESMExports();
}
