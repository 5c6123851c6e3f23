/**
 * `npm run packages`: makes the tarballs of topology, topology-cli and jobs and uses them as a stranger would, outside of
 * this repository.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  defaultFolder,
  freePorts,
  INTERRUPTED_EXIT_CODE,
  isOptionError,
  killProcessesOnFolder,
  StackError,
  type StepOptions,
  startStack,
  stopOnSignal,
} from '@fit/stack';
import { auditPackage } from './auditPackages.ts';
import { installConsumers, NODE_VERSIONS, TYPESCRIPT_VERSIONS } from './installConsumers.ts';
import { PACKAGES, readManifest } from './packageNames.ts';
import { makeTarballs, type Tarball } from './packPackages.ts';
import { compilerSteps, runtimeSteps, type Step, writePrograms } from './runConsumers.ts';
import { exampleSteps, SYSTEMS, type System } from './runExamples.ts';

const USAGE = `npm run packages [-- options]

  --out FOLDER  keeps the tarballs there, for \`npm publish\`; default: they are deleted
  --keep        keeps the folders in which the tarballs were installed, and names them
  --only PART   consumers, examples, or one of the examples by its name; default all
  --help

Builds and packs ${PACKAGES.join(', ')}, and installs the tarballs with everything else from npm's registry.
consumers: checks the tarballs with publint and attw; compiles programs in empty folders with TypeScript ${TYPESCRIPT_VERSIONS.join(' and ')};
does what the site's start page and the READMEs say on Node ${NODE_VERSIONS.join(', ')}, in TypeScript and JavaScript.
examples: copies ${SYSTEMS.join(', ')} and runs their tests on the copies.
It starts servers of its own, unless AMQP_URL, AMQP_MANAGEMENT_URL and MONGODB_URL are given.
Exit code 0: everything works; 1: something does not; 2: wrong option; 130: stopped.`;

/** A step that takes longer is named while it runs. */
const PROGRESS_AFTER_MS = 1_000;
const PARTS: readonly string[] = ['consumers', 'examples', ...SYSTEMS];
const STACK_NAME = `packages-${process.pid}`;
const signal = stopOnSignal(() => killProcessesOnFolder(defaultFolder(STACK_NAME)));
const options: StepOptions = {
  signal,
  onProgress: (line) => {
    console.error(line);
  },
};

interface Values {
  readonly out?: string | undefined;
  readonly keep: boolean;
  readonly only?: string | undefined;
}

type Result = 'failed' | 'passed';

process.exitCode = await main();
if (signal.aborted) process.exit(INTERRUPTED_EXIT_CODE);

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({
      options: {
        out: { type: 'string' },
        keep: { type: 'boolean', default: false },
        only: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.only !== undefined && !PARTS.includes(values.only)) {
      console.error(`--only '${values.only}' is none of ${PARTS.join(', ')}\n\n${USAGE}`);
      return 2;
    }
    if (!values.help) return await checkPackages(values);
    console.log(USAGE);
    return 0;
  } catch (error) {
    if (isOptionError(error)) console.error(`${error.message}\n\n${USAGE}`);
    else if (error instanceof StackError) console.error(error.message);
    else throw error;
    return isOptionError(error) ? 2 : 1;
  }
}

/** @returns the exit code. */
async function checkPackages({ out, keep, only }: Values): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-packages-'));
  try {
    const target = out === undefined ? undefined : resolve(out);
    const tarballs = await makeTarballs(folder, options, target);
    for (const { path, bytes, files } of tarballs)
      console.error(`${path}: ${Math.round(bytes / 1_000)} kB, ${files.length} files`);
    const results: Result[] = [];
    if (only === undefined || only === 'consumers')
      results.push(...(await checkConsumers(folder, tarballs)));
    const systems = SYSTEMS.filter((name) => [undefined, 'examples', name].includes(only));
    if (systems.length > 0) results.push(await checkExamples(folder, systems, tarballs));
    return results.includes('failed') ? 1 : 0;
  } finally {
    if (keep) console.error(`kept: ${folder}`);
    else await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function checkConsumers(folder: string, tarballs: readonly Tarball[]): Promise<Result[]> {
  const audits = tarballs.map((tarball) => ({
    title: `publint, attw: ${readManifest(tarball.folder).name}`,
    run: () => auditPackage(tarball, options),
  }));
  const results = [await runSteps(audits)];
  const root = join(folder, 'installed');
  await mkdir(root);
  const consumers = await installConsumers(root, tarballs, options);
  await writePrograms(consumers);
  const compiled = await Promise.all(
    TYPESCRIPT_VERSIONS.map((version) => runSteps(compilerSteps(consumers, version, options))),
  );
  results.push(...compiled);
  return await withServers(async () => {
    // They wait for the broker's delays more than they work.
    const run = await Promise.all(
      [...consumers.nodes].map(([version, bin]) =>
        runSteps(runtimeSteps(consumers, { version, bin }, options)),
      ),
    );
    return [...results, ...run];
  });
}

/** Installs the tarballs in a copy of each system of `examples/`, and runs its test on the copy. */
async function checkExamples(
  folder: string,
  systems: readonly System[],
  tarballs: readonly Tarball[],
): Promise<Result> {
  const root = join(folder, 'examples');
  await mkdir(root);
  return await withServers(() =>
    runSteps(systems.flatMap((name) => exampleSteps(name, root, tarballs, options))),
  );
}

/** Runs the steps one after the other, also after one has failed. */
async function runSteps(steps: readonly Step[]): Promise<Result> {
  let hasFailed = false;
  for (const { title, run } of steps) {
    const startedAt = performance.now();
    const begun = setTimeout(() => {
      console.error(`  …    ${title}`);
    }, PROGRESS_AFTER_MS);
    const failure = await run().then(
      () => undefined,
      (error: unknown) => messageOf(error),
    );
    clearTimeout(begun);
    signal.throwIfAborted();
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    console.log(`${failure === undefined ? 'ok    ' : 'FAILED'} ${title} (${seconds} s)`);
    if (failure === undefined) continue;
    hasFailed = true;
    console.log(failure.replaceAll(/^/gm, '       '));
  }
  return hasFailed ? 'failed' : 'passed';
}

/** Starts broker and database on free ports, and sets the variables by which `@fit/stack/testing` finds them. */
async function withServers<Value>(work: () => Promise<Value>): Promise<Value> {
  const stack = await startStack({
    ...options,
    name: STACK_NAME,
    ports: await freePorts(),
    servers: ['rabbitmq', 'gateway'],
  });
  const { amqpUrl, mongodbUrl, managementUrl } = stack;
  if (managementUrl === undefined)
    throw new StackError('COMMAND_FAILED', 'with AMQP_URL give AMQP_MANAGEMENT_URL, too');
  const [amqp, management] = [new URL(amqpUrl), new URL(managementUrl)];
  if (management.username === '') {
    management.username = amqp.username === '' ? 'guest' : amqp.username;
    management.password = amqp.username === '' ? 'guest' : amqp.password;
  }
  process.env['FIT_TEST_AMQP_URL'] = amqpUrl;
  process.env['FIT_TEST_MANAGEMENT_URL'] = management.href;
  process.env['FIT_TEST_MONGODB_URL'] = mongodbUrl;
  try {
    return await work();
  } finally {
    await stack.stop({ purge: true });
  }
}

function messageOf(error: unknown): string {
  if (error instanceof StackError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
