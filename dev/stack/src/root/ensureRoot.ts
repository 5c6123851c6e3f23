/** A root folder: Debian packages unpacked into the cache, nothing installed on the host. */
import { existsSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun, type StepOptions } from '../process/runCommand.ts';
import { buildOnce } from './buildOnce.ts';
import { checkBuilder, checkHost } from './checkHost.ts';
import { SERVICE_USER_ID } from './enterRoot.ts';
import { DOCKER_ROOT, MAIN_ROOT, type RootRecipe, recipeHash } from './recipe.ts';

/**
 * The root folder with all services, built when missing (about 25 s, 0.9 GB).
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
      await addWhatScriptsWouldHave(folder);
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
 * In unshare mode mmdebstrap writes as another user, who may not write to our cache, and would
 * leave files that we may not delete. So it writes an archive to its output, and we unpack that as
 * ourselves.
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
    // A machine whose clock is off, or a snapshot mirror: the suite's date is not what protects us
    // here.
    '--aptopt=Acquire::Check-Valid-Until "false"',
    `--include=${recipe.packages.join(',')}`,
  ];
}

/** Unpacked packages run no scripts, so what those would have set up is written here. */
async function addWhatScriptsWouldHave(folder: string): Promise<void> {
  for (const point of ['proc', 'dev', 'tmp', 'stack', 'gateway', 'oldroot']) {
    await mkdir(join(folder, point), { recursive: true });
  }
  const id = SERVICE_USER_ID;
  const root = 'root:x:0:0:root:/root:/bin/sh\n';
  await writeFile(join(folder, 'etc/passwd'), `${root}fit:x:${id}:${id}:FIT:/stack:/bin/sh\n`);
  await writeFile(join(folder, 'etc/group'), `root:x:0:\nfit:x:${id}:\n`);
  await writeFile(join(folder, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  const shell = join(folder, 'bin/sh');
  if (!existsSync(shell)) await symlink('dash', shell);
  await linkPostgis(folder);
  await linkIptables(folder);
}

/** Debian's alternatives make these links; without them Docker cannot make a network. */
async function linkIptables(folder: string): Promise<void> {
  const programs = join(folder, 'usr/sbin');
  if (!existsSync(join(programs, 'xtables-nft-multi'))) return;
  for (const name of ['iptables', 'ip6tables'])
    for (const suffix of ['', '-save', '-restore'])
      await symlink(`${name}-nft${suffix}`, join(programs, `${name}${suffix}`));
}

/** Debian's alternatives make this link; without it `create extension documentdb cascade` fails. */
async function linkPostgis(folder: string): Promise<void> {
  const extensions = join(folder, 'usr/share/postgresql/18/extension');
  if (!existsSync(join(extensions, 'postgis-3.control'))) return;
  const link = join(extensions, 'postgis.control');
  await rm(link, { force: true });
  await symlink('postgis-3.control', link);
}
