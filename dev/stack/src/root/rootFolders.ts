/**
 * Root folders: Debian packages unpacked into the cache, so that nothing is installed on the host. A recipe lists the
 * packages of one root folder.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun, type StepOptions } from '../process/runCommand.ts';
import { buildOnce } from './buildOnce.ts';
import { checkBuilder, checkHost } from './checkHost.ts';
import { SERVER_USER_ID } from './enterRoot.ts';

/** Debian suites whose RabbitMQ can be started: 3.10, 4.0 and 4.3. */
export type BrokerSuite = 'bookworm' | 'trixie' | 'sid';

export const BROKER_SUITES: readonly BrokerSuite[] = ['bookworm', 'trixie', 'sid'];

/** @returns undefined if the word is not a suite. */
export function brokerSuiteOf(word: string): BrokerSuite | undefined {
  return BROKER_SUITES.find((suite) => suite === word);
}

export interface RootRecipe {
  readonly title: string;
  readonly suite: BrokerSuite;
  readonly packages: readonly string[];
  /** Raised when the files that are written after unpacking change. */
  readonly layoutVersion: number;
}

/** Packages of every root folder: a shell, and the tools that mount and drop privileges. */
const ENTRY_PACKAGES = [
  'base-files',
  'dash',
  'coreutils',
  'sed',
  'grep',
  'findutils',
  'util-linux',
  'mount',
];

const LAYOUT_VERSION = 1;

/** The root folder with all services. */
export const MAIN_ROOT: RootRecipe = {
  title: 'root folder (RabbitMQ, PostgreSQL, DocumentDB, Prometheus)',
  suite: 'sid',
  packages: [
    'postgresql-18-documentdb',
    'rabbitmq-server',
    'prometheus',
    'prometheus-alertmanager',
    ...ENTRY_PACKAGES,
  ],
  layoutVersion: LAYOUT_VERSION,
};

/** The root folder of the Go tool chain, for machines without a Go that is new enough. */
export const GO_ROOT: RootRecipe = {
  title: 'root folder (Go)',
  suite: 'sid',
  packages: ['golang-go', ...ENTRY_PACKAGES],
  layoutVersion: LAYOUT_VERSION,
};

/**
 * The root folder of the browser, for tests of the pages. The headless shell is half the size of the whole
 * browser and needs no display. It comes from a stable suite, since libraries of sid change while it is in use.
 */
export const BROWSER_ROOT: RootRecipe = {
  title: 'root folder (Chromium, headless)',
  suite: 'trixie',
  packages: ['chromium-headless-shell', 'fonts-dejavu-core', ...ENTRY_PACKAGES],
  layoutVersion: LAYOUT_VERSION,
};

/** The root folder of a Docker daemon with its clients, for `npm run compose-check`. */
export const DOCKER_ROOT: RootRecipe = {
  title: 'root folder (Docker, Docker Compose)',
  suite: 'trixie',
  packages: [
    'docker.io',
    'docker-cli',
    'docker-compose',
    'docker-buildx',
    'iptables',
    'iproute2',
    'busybox-static',
    ...ENTRY_PACKAGES,
  ],
  layoutVersion: LAYOUT_VERSION,
};

/** The root folder of Redis, for the benchmark of other job systems. */
export const REDIS_ROOT: RootRecipe = {
  title: 'root folder (Redis)',
  suite: 'trixie',
  packages: ['redis-server', ...ENTRY_PACKAGES],
  layoutVersion: LAYOUT_VERSION,
};

/** The root folder that the broker runs in; the broker of sid is part of the main one. */
export function brokerRoot(suite: BrokerSuite): RootRecipe {
  if (suite === 'sid') return MAIN_ROOT;
  return {
    title: `root folder (RabbitMQ of ${suite})`,
    suite,
    packages: ['rabbitmq-server', ...ENTRY_PACKAGES],
    layoutVersion: LAYOUT_VERSION,
  };
}

/** @returns sixteen hexadecimal digits, part of a cache key: a changed recipe is built anew. */
export function recipeHash(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/**
 * The root folder with all servers, built when missing (about 25 s, 0.9 GB).
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`.
 */
export async function rootFolder(step: StepOptions = {}): Promise<string> {
  return await ensureRoot(MAIN_ROOT, step);
}

/**
 * The root folder with a Docker daemon and its clients, built when missing (about 20 s, 0.5 GB).
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`.
 */
export async function dockerRootFolder(step: StepOptions = {}): Promise<string> {
  return await ensureRoot(DOCKER_ROOT, step);
}

/**
 * The root folder of a recipe, built when missing.
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`.
 */
export async function ensureRoot(recipe: RootRecipe, step: StepOptions): Promise<string> {
  const mode = await checkHost();
  return await buildOnce({
    title: recipe.title,
    key: `root-${recipe.suite}-${recipeHash(recipe)}`,
    fill: async (folder) => {
      const mirror = await checkBuilder(step);
      await (mode === 'root' ? unpack : unpackAsUser)({ recipe, folder, mirror, step });
      await writeSetupFiles(folder);
    },
    ...step,
  });
}

interface Unpacking {
  readonly recipe: RootRecipe;
  readonly folder: string;
  readonly mirror: string;
  readonly step: StepOptions;
}

async function unpack({ recipe, folder, mirror, step }: Unpacking): Promise<void> {
  const command = [...mmdebstrap(recipe, 'root'), recipe.suite, folder, mirror];
  await mustRun(command, { ...step, title: `${recipe.title}: unpacking` });
}

/**
 * In unshare mode mmdebstrap runs as another user, who may not write to the cache and would leave files there that the
 * caller may not delete. So it writes an archive to its output, which the caller unpacks.
 */
async function unpackAsUser({ recipe, folder, mirror, step }: Unpacking): Promise<void> {
  const words = [...mmdebstrap(recipe, 'unshare'), recipe.suite, '-', mirror];
  const archive = `${words.map((word) => `'${word}'`).join(' ')} > "$0.tar"`;
  const extract = `tar -x --no-same-owner --exclude='./dev/*' -C "$0" -f "$0.tar"; rm "$0.tar"`;
  const command = ['sh', '-ec', `${archive}\n${extract}`, folder];
  await mustRun(command, { ...step, title: `${recipe.title}: unpacking` });
}

function mmdebstrap(recipe: RootRecipe, mode: 'root' | 'unshare'): string[] {
  return [
    'mmdebstrap',
    `--mode=${mode}`,
    '--variant=extract',
    '--format=' + (mode === 'root' ? 'directory' : 'tar'),
    // A machine with a wrong clock and a snapshot mirror both fail the check of the date; the signature is still checked.
    '--aptopt=Acquire::Check-Valid-Until "false"',
    `--include=${recipe.packages.join(',')}`,
  ];
}

/** Writes what the packages' install scripts would set up: unpacked packages do not run them. */
async function writeSetupFiles(folder: string): Promise<void> {
  for (const point of ['proc', 'dev', 'tmp', 'stack', 'gateway', 'oldroot']) {
    await mkdir(join(folder, point), { recursive: true });
  }
  const id = SERVER_USER_ID;
  const root = 'root:x:0:0:root:/root:/bin/sh\n';
  await writeFile(join(folder, 'etc/passwd'), `${root}fit:x:${id}:${id}:FIT:/stack:/bin/sh\n`);
  await writeFile(join(folder, 'etc/group'), `root:x:0:\nfit:x:${id}:\n`);
  await writeFile(join(folder, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  const shell = join(folder, 'bin/sh');
  if (!existsSync(shell)) await symlink('dash', shell);
  await linkPostgis(folder);
  await linkIptables(folder);
}

/** Makes links that Debian's alternatives would make; without them Docker cannot make a network. */
async function linkIptables(folder: string): Promise<void> {
  const programs = join(folder, 'usr/sbin');
  if (!existsSync(join(programs, 'xtables-nft-multi'))) return;
  for (const name of ['iptables', 'ip6tables'])
    for (const suffix of ['', '-save', '-restore'])
      await symlink(`${name}-nft${suffix}`, join(programs, `${name}${suffix}`));
}

/** Makes a link that Debian's alternatives would make; without it `create extension documentdb cascade` fails. */
async function linkPostgis(folder: string): Promise<void> {
  const extensions = join(folder, 'usr/share/postgresql/18/extension');
  if (!existsSync(join(extensions, 'postgis-3.control'))) return;
  const link = join(extensions, 'postgis.control');
  await rm(link, { force: true });
  await symlink('postgis-3.control', link);
}
