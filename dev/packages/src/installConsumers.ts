/**
 * Folders outside of the repository in which the tarballs are installed as a stranger would. Everything but our packages
 * comes from the registry: what the documentation installs in the newest version, optional peers and types in those of
 * package-lock.json, TypeScript and Node in those that are written here.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeBlocks, readPages, readRepositoryFile } from '@fit/site';
import { mustRun, StackError, type StepOptions } from '@fit/stack';
import { REPOSITORY, readManifest } from './packageNames.ts';
import type { Tarball } from './packPackages.ts';

/** The oldest release that `engines` allows, and the newest of the two later lines. */
export const NODE_VERSIONS = ['22.18.0', '24.22.3', '26.12.1'] as const;
/** TypeScript releases that compile the strict program. */
export const TYPESCRIPT_VERSIONS = ['5.9.3', '6.0.3'] as const;

const SOURCES = join(import.meta.dirname, 'consumers');

/**
 * Environment of everything that runs in these folders: without the condition by which the repository runs sources, and
 * without what npm tells the script of this program. Settings of npm and certificates stay.
 */
export const CONSUMER_ENVIRONMENT: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(?:NODE_OPTIONS|NODE_ENV|INIT_CWD|npm_(?!config_).*|npm_config_local_prefix)$/.test(name),
  ),
);

export interface Consumers {
  /** What the page `start` of the site installs. */
  readonly start: string;
  /** What the README of jobs installs. */
  readonly jobs: string;
  /** All packages with their optional peers, and the compilers. */
  readonly all: string;
  /** Version of Node → folder with its `node`. */
  readonly nodes: ReadonlyMap<string, string>;
}

/** @param root an empty folder. @throws StackError `COMMAND_FAILED` with what npm said. */
export async function installConsumers(
  root: string,
  tarballs: readonly Tarball[],
  options: StepOptions = {},
): Promise<Consumers> {
  const install = async (name: string, commands: readonly string[]) => {
    const folder = join(root, name);
    await mkdir(folder);
    const programs = join(SOURCES, name);
    if (existsSync(programs)) await cp(programs, folder, { recursive: true });
    const startedAt = performance.now();
    for (const command of commands)
      await mustRun(['sh', '-c', withTarballs(command, tarballs)], {
        ...options,
        cwd: folder,
        env: { ...CONSUMER_ENVIRONMENT, ...QUIET_NPM },
      });
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    options.onProgress?.(`installed in the folder ${name} in ${seconds} s`);
    return folder;
  };
  options.onProgress?.('installing in four folders (npm), about ten seconds …');
  const [start, jobs, all, nodes] = await Promise.all([
    install('start', installCommands('start.md', readPages().get('start.md') ?? '')),
    install('jobs', [
      'npm init -y && npm pkg set type=module',
      ...installCommands('jobs/README.md', readRepositoryFile('jobs/README.md') ?? ''),
    ]),
    install('all', [
      'npm init -y && npm pkg set type=module',
      `npm install ${[
        ...tarballs.map(({ folder }) => readManifest(folder).name),
        ...(await lockedVersions()),
        ...TYPESCRIPT_VERSIONS.map((version) => `typescript-${version}@npm:typescript@${version}`),
      ].join(' ')}`,
    ]),
    install('nodes', [
      'npm init -y',
      `npm install ${NODE_VERSIONS.map(
        (version) => `node-${version}@npm:node-${process.platform}-${process.arch}@${version}`,
      ).join(' ')}`,
    ]),
  ]);
  return {
    start,
    jobs,
    all,
    nodes: new Map(
      NODE_VERSIONS.map((version) => [version, join(nodes, `node_modules/node-${version}/bin`)]),
    ),
  };
}

const QUIET_NPM = {
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_progress: 'false',
  npm_config_ignore_scripts: 'true',
};

/** @returns the commands of the first block for the shell that installs one of our packages. */
function installCommands(name: string, page: string): readonly string[] {
  const block = codeBlocks(page).find(
    ({ language, code }) => language === 'sh' && code.includes('npm install @fit/'),
  );
  if (block === undefined) throw new StackError('COMMAND_FAILED', `${name} installs no package`);
  return block.code.split('\n').filter((line) => line !== '');
}

/** The registry does not have our packages. */
export function withTarballs(command: string, tarballs: readonly Tarball[]): string {
  return tarballs.reduce(
    (text, { folder, path }) =>
      text.replaceAll(new RegExp(`(?<= )${readManifest(folder).name}(?= |$)`, 'g'), path),
    command,
  );
}

/** @returns optional peers, schemas and types, with the versions that this repository has locked. */
async function lockedVersions(): Promise<readonly string[]> {
  const text = await readFile(join(REPOSITORY, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Record<string, { version?: string }> };
  return ['@opentelemetry/api', '@types/node', 'mongodb', 'typebox', 'zod'].map(
    (name) => `${name}@${packages[`node_modules/${name}`]?.version ?? '*'}`,
  );
}
