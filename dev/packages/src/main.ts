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
  type Stack,
  StackError,
  type StepOptions,
  startStack,
  stopOnSignal,
} from '@fit/stack';
import { auditPackage } from './auditPackages.ts';
import { buildPackages } from './buildPackages.ts';
import { installConsumers, NODE_VERSIONS, TYPESCRIPT_VERSIONS } from './installConsumers.ts';
import { PACKAGES, readManifest } from './packageNames.ts';
import { packPackages } from './packPackages.ts';
import { compilerSteps, runtimeSteps, type Step } from './runConsumers.ts';

const USAGE = `npm run packages [-- options]

  --out FOLDER  keeps the tarballs there, for \`npm publish\`; default: they are deleted
  --keep        keeps the folders in which the tarballs were installed, and names them
  --help

Builds and packs ${PACKAGES.join(', ')}; checks the tarballs with publint and attw; installs them in empty folders, with
everything else from npm's registry; runs their programs on Node ${NODE_VERSIONS.join(', ')} against servers that it
starts (or those of AMQP_URL, AMQP_MANAGEMENT_URL and MONGODB_URL); compiles them with TypeScript ${TYPESCRIPT_VERSIONS.join(' and ')}.
Exit code 0: everything works; 1: something does not; 2: wrong option; 130: stopped.`;

const STACK_NAME = `packages-${process.pid}`;
const signal = stopOnSignal(() => killProcessesOnFolder(defaultFolder(STACK_NAME)));
const options: StepOptions = {
  signal,
  onProgress: (line) => {
    console.error(line);
  },
};

process.exitCode = await main();
if (signal.aborted) process.exit(INTERRUPTED_EXIT_CODE);

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({
      options: {
        out: { type: 'string' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (!values.help) return await checkPackages(values.out, values.keep);
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
async function checkPackages(out: string | undefined, isKept: boolean): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-packages-'));
  try {
    const [staging, consumerRoot] = [join(folder, 'build'), join(folder, 'installed')];
    const tarballFolder = out === undefined ? join(folder, 'tarballs') : resolve(out);
    for (const path of [staging, consumerRoot, tarballFolder])
      await mkdir(path, { recursive: true });
    await buildPackages(staging, PACKAGES, options);
    const tarballs = await packPackages(staging, PACKAGES, tarballFolder, options);
    for (const { path, bytes, files } of tarballs)
      console.error(`${path}: ${Math.round(bytes / 1_000)} kB, ${files.length} files`);

    const audits = tarballs.map((tarball) => ({
      title: `publint, attw: ${readManifest(tarball.folder).name}`,
      run: () => auditPackage(tarball, options),
    }));
    let hasFailed = await runSteps(audits);
    const consumers = await installConsumers(consumerRoot, tarballs, options);
    hasFailed =
      (await runSteps(compilerSteps(consumers, TYPESCRIPT_VERSIONS, options))) || hasFailed;
    const stack = await startServers();
    try {
      for (const [version, bin] of consumers.nodes)
        hasFailed =
          (await runSteps(runtimeSteps(consumers, { version, bin }, options))) || hasFailed;
    } finally {
      await stack.stop({ purge: true });
    }
    return hasFailed ? 1 : 0;
  } finally {
    if (isKept) console.error(`kept: ${folder}`);
    else await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Runs every step, also after one has failed. @returns whether one has failed. */
async function runSteps(steps: readonly Step[]): Promise<boolean> {
  let hasFailed = false;
  for (const { title, run } of steps) {
    const startedAt = performance.now();
    const failure = await run().then(
      () => undefined,
      (error: unknown) => messageOf(error),
    );
    signal.throwIfAborted();
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    console.log(`${failure === undefined ? 'ok    ' : 'FAILED'} ${title} (${seconds} s)`);
    if (failure === undefined) continue;
    hasFailed = true;
    console.log(failure.replaceAll(/^/gm, '       '));
  }
  return hasFailed;
}

/** Starts broker and database on free ports, and sets the variables by which `@fit/stack/testing` finds them. */
async function startServers(): Promise<Stack> {
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
  return stack;
}

function messageOf(error: unknown): string {
  if (error instanceof StackError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
