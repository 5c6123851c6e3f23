/** Runs and compiles the programs of the consumers: on each Node against a real broker and database, with each TypeScript. */
import { mkdir, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { delimiter, join } from 'node:path';
import {
  codeBlocks,
  pagePrograms,
  Reader,
  readPages,
  readRepositoryFile,
  shellSteps,
} from '@fit/site';
import { mustRun, type RunResult, StackError, type StepOptions } from '@fit/stack';
import { type Teardown, testBroker, testDatabaseUrl } from '@fit/stack/testing';
import { execa } from 'execa';
import { CONSUMER_ENVIRONMENT, type Consumers, TYPESCRIPT_VERSIONS } from './installConsumers.ts';
import { entryPoints, PACKAGES, readManifest } from './packageNames.ts';

/** One thing that a consumer does. `run` throws where it does not work. */
export interface Step {
  readonly title: string;
  readonly run: () => Promise<void>;
}

const PROGRAM_LIMIT_MS = 60_000;
const START_PAGE = 'start.md';
const JOBS_README = 'jobs/README.md';

/** @returns the steps for one Node; they need the FIT_TEST_ variables of `@fit/stack/testing`. @param bin folder of its `node`. */
export function runtimeSteps(
  { start, jobs, all }: Consumers,
  { version, bin }: { readonly version: string; readonly bin: string },
  options: StepOptions = {},
): Step[] {
  const PATH = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
  const env = { ...CONSUMER_ENVIRONMENT, PATH };
  const run = (
    cwd: string,
    command: readonly string[],
    variables: Readonly<Record<string, string>> = {},
  ): Promise<RunResult> => mustRun(command, { ...options, cwd, env: { ...env, ...variables } });
  const servers = async (teardown: Teardown) => {
    const { amqpUrl, managementUrl } = await testBroker(teardown);
    return {
      AMQP_URL: amqpUrl,
      AMQP_MANAGEMENT_URL: managementUrl,
      MONGODB_URL: testDatabaseUrl(),
    };
  };
  const steps: readonly Step[] = [
    ...(['ts', 'js'] as const).map((language) => ({
      title: `the site's start page as written${language === 'js' ? ', in JavaScript' : ''}`,
      run: () =>
        withTeardown(async (teardown) => {
          const folder = join(start, `${language}-${version}`);
          await mkdir(folder);
          await readStartPage(teardown, { folder, language, env });
        }),
    })),
    {
      title: 'a CommonJS program, by require',
      run: () =>
        withTeardown(async (teardown) => {
          const result = await run(all, ['node', 'common.cjs'], await servers(teardown));
          expectOutput(result, /^attempt 2 for ann$/m);
          expectNoWarning(result);
        }),
    },
    {
      title: 'JavaScript with JSDoc, on the simulator',
      run: async () => {
        expectOutput(await run(all, ['node', 'plain.js']), /^done 1$/m);
      },
    },
    {
      title: 'every entry point by require, without a warning',
      run: async () => {
        const entries = PACKAGES.flatMap((folder) =>
          entryPoints(readManifest(folder, join(all, 'node_modules', readManifest(folder).name))),
        );
        expectNoWarning(await run(all, ['node', 'requireAll.cjs', ...entries]));
      },
    },
    {
      title: 'jobs are done, retried, replayed',
      run: () =>
        withTeardown(async (teardown) => {
          const { output } = await run(jobs, ['node', 'jobs.ts'], await servers(teardown));
          expectOutput({ output }, /^greet:ann done 1 \{"text":"hello, ann"\}$/m);
          expectOutput({ output }, /^greet:bob done 2 \{"text":"hello, bob"\}$/m);
          expectOutput({ output }, /^greet:cleo dead 1 who is cleo\?$/m);
          expectOutput({ output }, /^greet:cleo done 1 \{"text":"hello, cleo"\}$/m);
        }),
    },
    ...(
      [
        ['topology/README.md', start, /^attempt 1 for ann@example\.org$/m],
        [JOBS_README, jobs, /^resizing cat\.png$/m],
      ] as const
    ).map(([document, cwd, expected]) => ({
      title: `the start in ${document}, as JavaScript`,
      run: () =>
        withTeardown(async (teardown) => {
          const variables = await servers(teardown);
          const program = stripTypeScriptTypes(firstProgram(document));
          const file = `readme-${version}.js`;
          const code = program.replaceAll("'amqp://127.0.0.1'", `'${variables.AMQP_URL}'`);
          await writeFile(join(cwd, file), code);
          await runUntil(['node', file], expected, { cwd, env: { ...env, ...variables } });
        }),
    })),
  ];
  return steps.map((step) => ({ ...step, title: `Node ${version}: ${step.title}` }));
}

/** Does each step of the page, in the language that it is written in or with its types taken away. */
async function readStartPage(
  teardown: Teardown,
  {
    folder,
    language,
    env,
  }: { readonly folder: string; readonly language: 'ts' | 'js'; readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  const written = readPages().get(START_PAGE) ?? '';
  const inLanguage = (text: string) =>
    language === 'ts' ? text : text.replaceAll(/\b(mail|worker|send)\.ts\b/g, '$1.js');
  const broker = await testBroker(teardown);
  const reader = new Reader(teardown, broker, { folder, env, topologyCommand: 'npx topology' });
  for (const { fileName, code } of pagePrograms(START_PAGE, written))
    if (fileName !== undefined)
      await reader.save(
        inLanguage(fileName),
        language === 'ts' ? code : inLanguage(stripTypeScriptTypes(code)),
      );
  const steps = shellSteps(inLanguage(written));
  if (steps.length < 3) throw new StackError('COMMAND_FAILED', `${START_PAGE} has too few steps`);
  for (const step of steps) await reader.perform(`${START_PAGE}:${step.line}`, step);
  await reader.finish();
}

/** @throws StackError if the document has no program in TypeScript. */
function firstProgram(document: string): string {
  const text = readRepositoryFile(document) ?? '';
  const block = codeBlocks(text).find(({ language, isHidden }) => language === 'ts' && !isHidden);
  if (block === undefined) throw new StackError('COMMAND_FAILED', `${document} has no program`);
  return `${block.code}\n`;
}

/** Options that make the compiler ask the most of our declaration files. */
const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  // The pages import their files as Node does.
  allowImportingTsExtensions: true,
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

/** Adds the programs of the documents to those that are compiled. */
export async function writePrograms({ all }: Consumers): Promise<void> {
  const pages = pagePrograms(START_PAGE, readPages().get(START_PAGE) ?? '');
  for (const { fileName, code } of pages)
    if (fileName !== undefined) await writeFile(join(all, fileName), code);
  const [topology, jobs] = ['topology/README.md', JOBS_README].map(firstProgram);
  await writeFile(join(all, 'topologyStart.ts'), topology ?? '');
  await writeFile(join(all, 'topologyStartInJavaScript.js'), topology ?? '');
  await writeFile(join(all, 'jobsStart.ts'), jobs ?? '');
}

/** @returns a step for each way in which a release of TypeScript resolves modules; only the newest one does it as a bundler. */
export function compilerSteps(
  { all }: Consumers,
  version: string,
  options: StepOptions = {},
): Step[] {
  const { nodenext, bundler } = PROJECTS;
  const projects = version === TYPESCRIPT_VERSIONS.at(-1) ? { nodenext, bundler } : { nodenext };
  return Object.entries(projects).map(([name, project]) => ({
    title: `TypeScript ${version}, ${name}: strict programs, JavaScript with JSDoc`,
    run: async () => {
      const file = `tsconfig.${name}-${version}.json`;
      await writeFile(join(all, file), JSON.stringify(project));
      const compiler = join(all, `node_modules/typescript-${version}/bin/tsc`);
      const command = [process.execPath, compiler, '-p', file];
      await mustRun(command, { ...options, cwd: all, env: CONSUMER_ENVIRONMENT });
    },
  }));
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

function expectNoWarning({ output }: Pick<RunResult, 'output'>): void {
  if (/warning/i.test(output)) throw new StackError('COMMAND_FAILED', output);
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
