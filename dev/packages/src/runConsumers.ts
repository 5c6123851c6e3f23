/** Runs and compiles the programs of the consumers: on each Node against a real broker and database, with each TypeScript. */
import { cp, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { mustRun, type RunResult, StackError, type StepOptions } from '@fit/stack';
import { type Teardown, testBroker, testDatabaseUrl } from '@fit/stack/testing';
import { execa } from 'execa';
import { CONSUMER_ENVIRONMENT, type Consumers } from './installConsumers.ts';
import { entryPoints, PACKAGES, type PackageFolder, readManifest } from './packageNames.ts';
import { readmeStart } from './readmeStart.ts';

/** One thing that a consumer does. `run` throws where it does not work. */
export interface Step {
  readonly title: string;
  readonly run: () => Promise<void>;
}

const PROGRAM_LIMIT_MS = 60_000;
/** What the program of the README prints once its message has reached the handler. */
const STARTED = /attempt 1 for ann/;
const REQUIRE_ALL = join(import.meta.dirname, 'consumers/requireAll.cjs');

/** @returns the steps for one Node; they need the FIT_TEST_ variables of `@fit/stack/testing`. @param bin folder of its `node`. */
export function runtimeSteps(
  { folders }: Consumers,
  { version, bin }: { readonly version: string; readonly bin: string },
  options: StepOptions = {},
): Step[] {
  const PATH = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
  const env = { ...CONSUMER_ENVIRONMENT, PATH };
  const run = (
    folder: PackageFolder,
    command: readonly string[],
    variables: Readonly<Record<string, string>> = {},
  ): Promise<RunResult> =>
    mustRun(command, { ...options, cwd: folders[folder], env: { ...env, ...variables } });
  const steps: readonly Step[] = [
    {
      title: 'the start in the README of topology, by import',
      run: () =>
        withTeardown(async (teardown) => {
          const { amqpUrl, managementUrl } = await testBroker(teardown);
          const file = `start-${version}.mjs`;
          const program = readmeStart('topology', { amqp: amqpUrl, management: managementUrl });
          await writeFile(join(folders.topology, file), program);
          await runUntil(['node', file], STARTED, { cwd: folders.topology, env });
        }),
    },
    ...PACKAGES.map((folder) => ({
      title: `${readManifest(folder).name} by require, without a warning`,
      run: async () => {
        await cp(REQUIRE_ALL, join(folders[folder], 'requireAll.cjs'));
        const root = join(folders[folder], 'node_modules', readManifest(folder).name);
        const words = ['node', 'requireAll.cjs', ...entryPoints(readManifest(folder, root))];
        const { output } = await run(folder, words);
        if (/warning/i.test(output)) throw new StackError('COMMAND_FAILED', output);
      },
    })),
    {
      title: 'topology --help, topology explain',
      run: async () => {
        const program = join(folders['topology-cli'], 'node_modules/.bin/topology');
        const help = await run('topology-cli', [program, '--help']);
        expectOutput(help, /^topology <command>/);
        const words = ['--declaration', 'mailTopology.ts', '--outcomes', 'reject,crash,done'];
        const explained = await run('topology-cli', [program, 'explain', ...words]);
        expectOutput(explained, /done; 5s after the publish/);
      },
    },
    {
      title: 'three jobs of @fit/jobs, from a run to their records',
      run: () =>
        withTeardown(async (teardown) => {
          const { amqpUrl, managementUrl } = await testBroker(teardown);
          const result = await run('jobs', ['node', 'jobs.ts'], {
            AMQP_URL: amqpUrl,
            AMQP_MANAGEMENT_URL: managementUrl,
            MONGODB_URL: testDatabaseUrl(),
          });
          expectOutput(result, /^\{"done":3,"greeted":\["ann","bob","cleo"\]\}$/m);
        }),
    },
  ];
  return steps.map((step) => ({ ...step, title: `Node ${version}: ${step.title}` }));
}

/** Options that make the compiler ask the most of our declaration files. */
const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  allowJs: true,
  checkJs: true,
  noEmit: true,
  target: 'es2023',
  types: ['node'],
};

const PROJECTS = {
  nodenext: {
    compilerOptions: { ...STRICT, module: 'nodenext', skipLibCheck: false },
    include: ['*.ts', '*.js', '*.cts'],
  },
  // A bundler's resolution knows no `require`, so the CommonJS program is left out. The declaration files are the same.
  bundler: {
    compilerOptions: {
      ...STRICT,
      module: 'esnext',
      moduleResolution: 'bundler',
      skipLibCheck: true,
    },
    include: ['*.ts', '*.js'],
  },
} as const;

/** @returns a step for each release of TypeScript and each way in which it resolves modules. */
export function compilerSteps(
  { types }: Consumers,
  versions: readonly string[],
  options: StepOptions = {},
): Step[] {
  return versions.flatMap((version) =>
    Object.entries(PROJECTS).map(([name, project]) => ({
      title: `TypeScript ${version}, ${name}: strict programs, JavaScript with JSDoc`,
      run: async () => {
        const urls = { amqp: 'amqp://127.0.0.1', management: 'http://127.0.0.1:15672' };
        const start = readmeStart('topology', urls);
        await writeFile(join(types, 'start.ts'), start);
        await writeFile(join(types, 'startInJavaScript.js'), start);
        const file = `tsconfig.${name}.json`;
        await writeFile(join(types, file), JSON.stringify(project));
        const compiler = join(types, `node_modules/typescript-${version}/bin/tsc`);
        const command = [process.execPath, compiler, '-p', file];
        await mustRun(command, { ...options, cwd: types, env: CONSUMER_ENVIRONMENT });
      },
    })),
  );
}

/** Runs a program that does not end by itself until it has printed what is expected, and then stops it. */
async function runUntil(
  [program = '', ...words]: readonly string[],
  expected: RegExp,
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  const child = execa(program, words, {
    cwd,
    env,
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    timeout: PROGRAM_LIMIT_MS,
  });
  let output = '';
  for await (const text of child.all.setEncoding('utf8')) {
    output += String(text);
    if (expected.test(output)) child.kill('SIGTERM');
  }
  await child;
  expectOutput({ output }, expected);
}

function expectOutput({ output }: Pick<RunResult, 'output'>, expected: RegExp): void {
  if (expected.test(output)) return;
  throw new StackError('COMMAND_FAILED', `${String(expected)} is not in its output:\n${output}`);
}

async function withTeardown(work: (teardown: Teardown) => Promise<void>): Promise<void> {
  const teardowns: (() => Promise<void>)[] = [];
  try {
    await work({ after: (teardown) => teardowns.push(teardown) });
  } finally {
    for (const teardown of teardowns.reverse()) await teardown();
  }
}
