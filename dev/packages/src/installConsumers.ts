/**
 * Folders outside of the repository in which the tarballs are installed as a stranger would. Everything but our packages
 * comes from the registry: optional peers, schemas and types in the versions of package-lock.json, TypeScript and Node
 * in those that are written here, all else in the newest version that the manifests allow.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun, type StepOptions } from '@fit/stack';
import { type PackageFolder, REPOSITORY, readManifest } from './packageNames.ts';
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
  /** Folders with programs, each with the package of that name and no other that it does not need. */
  readonly folders: Readonly<Record<PackageFolder, string>>;
  /** Folder with all packages, the compilers and the programs that are compiled. */
  readonly types: string;
  /** Version of Node → folder with its `node`. */
  readonly nodes: ReadonlyMap<string, string>;
}

/** @param root an empty folder. @throws StackError `COMMAND_FAILED` with what npm said. */
export async function installConsumers(
  root: string,
  tarballs: readonly Tarball[],
  options: StepOptions = {},
): Promise<Consumers> {
  const versions = await registryVersions();
  const fileOf = Object.fromEntries(
    tarballs.map(({ folder, path }) => [readManifest(folder).name, `file:${path}`]),
  );
  const only = (...names: string[]) =>
    Object.fromEntries(names.map((name) => [name, fileOf[name] ?? '']));
  // Optional peers, and the schemas of the first program.
  const schemas = { typebox: versions['typebox'] ?? '', zod: versions['zod'] ?? '' };
  const database = { mongodb: versions['mongodb'] ?? '', typebox: versions['typebox'] ?? '' };
  const [topology, cli, jobs, types, nodes] = await Promise.all([
    install(root, 'topology', { ...only('@fit/topology'), ...schemas }, options),
    install(root, 'topology-cli', only('@fit/topology', '@fit/topology-cli'), options),
    install(root, 'jobs', { ...only('@fit/topology', '@fit/jobs'), ...database }, options),
    install(
      root,
      'types',
      {
        ...fileOf,
        ...database,
        ...schemas,
        '@types/node': versions['@types/node'] ?? '',
        ...Object.fromEntries(
          TYPESCRIPT_VERSIONS.map((version) => [
            `typescript-${version}`,
            `npm:typescript@${version}`,
          ]),
        ),
      },
      options,
    ),
    install(
      root,
      'nodes',
      Object.fromEntries(
        NODE_VERSIONS.map((version) => [
          `node-${version}`,
          `npm:node-${process.platform}-${process.arch}@${version}`,
        ]),
      ),
      options,
    ),
  ]);
  return {
    folders: { topology, 'topology-cli': cli, jobs },
    types,
    nodes: new Map(
      NODE_VERSIONS.map((version) => [version, join(nodes, `node_modules/node-${version}/bin`)]),
    ),
  };
}

/** Makes a folder with these dependencies and with the programs of `consumers/<name>`, if there are any. */
async function install(
  root: string,
  name: string,
  dependencies: Readonly<Record<string, string>>,
  options: StepOptions,
): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  const manifest = { name: `consumer-${name}`, private: true, type: 'module', dependencies };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest, undefined, 2));
  const words = ['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress'];
  const startedAt = performance.now();
  await mustRun(words, { ...options, cwd: folder, env: CONSUMER_ENVIRONMENT });
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  options.onProgress?.(`installed in the folder ${name} in ${seconds} s`);
  // The programs that run are compiled in the folder of the compilers, too.
  const programs = name === 'types' ? ['types', 'jobs', 'topology-cli'] : [name];
  for (const path of programs.map((program) => join(SOURCES, program)))
    if (existsSync(path)) await cp(path, folder, { recursive: true });
  return folder;
}

/** @returns the versions that this repository has locked, for what a consumer installs beside our packages. */
async function registryVersions(): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(join(REPOSITORY, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Record<string, { version?: string }> };
  return Object.fromEntries(
    ['mongodb', 'typebox', 'zod', '@types/node'].map((name) => [
      name,
      packages[`node_modules/${name}`]?.version ?? '*',
    ]),
  );
}
