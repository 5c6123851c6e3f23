/** Checks, before anything is started, whether this machine can build and run the native stack. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, runCommand, type StepOptions } from '../process/runCommand.ts';
import { unsupportedHost } from '../stackError.ts';

const APT_FOLDER = '/etc/apt';

/** How a root folder is entered: root may by itself, other users need a user namespace. */
export type EntryMode = 'root' | 'user';

let checked: EntryMode | undefined;

/**
 * Finds out once per process how servers can be started here.
 * @throws StackError `HOST_UNSUPPORTED`, which names the two other ways.
 */
export async function checkHost(): Promise<EntryMode> {
  if (checked !== undefined) return checked;
  if (process.platform !== 'linux') throw unsupportedHost(`this is ${process.platform}, not Linux`);
  if (!(await has('unshare'))) throw unsupportedHost('`unshare` (util-linux) is missing');
  const mode = await entryMode();
  checked = mode;
  return mode;
}

/**
 * Checks what building a root folder needs beyond running one: apt, a mirror and mmdebstrap, which is installed where
 * this process is root.
 * @returns the mirror.
 * @throws StackError `HOST_UNSUPPORTED`.
 */
export async function checkBuilder(step: StepOptions): Promise<string> {
  if (!existsSync('/usr/bin/apt-get'))
    throw unsupportedHost('there is no apt to fetch packages with');
  const mirror = aptMirror();
  if (mirror === undefined) {
    throw unsupportedHost(
      'no mirror in /etc/apt (FIT_STACK_MIRROR=<URL of a Debian mirror> sets one)',
    );
  }
  if (!(await has('mmdebstrap'))) await installBuilder(step);
  return mirror;
}

async function entryMode(): Promise<EntryMode> {
  const isRoot = process.getuid?.() === 0;
  const probe = ['sh', '-c', 'mount --bind /proc /proc'];
  if (isRoot && (await succeeds(['unshare', '--mount', ...probe]))) return 'root';
  const asUser = ['unshare', '--user', '--map-root-user', '--mount', ...probe];
  if (!isRoot && (await succeeds(asUser))) return 'user';
  throw unsupportedHost(
    isRoot
      ? 'this container may not mount (it lacks CAP_SYS_ADMIN)'
      : 'this is not root, and user namespaces are not allowed',
  );
}

async function installBuilder(step: StepOptions): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw unsupportedHost('`mmdebstrap` is missing; have it installed: apt-get install mmdebstrap');
  }
  step.onProgress?.(
    'mmdebstrap is missing: installing it with apt-get (the only thing put on this host)',
  );
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await mustRun(['apt-get', 'update'], { ...step, env, title: 'apt-get update' });
  // The signal is not passed on: a stop must not leave the host's packages half-installed.
  const { onProgress } = step;
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', 'mmdebstrap'];
  await mustRun(install, { onProgress, env, title: 'apt-get install mmdebstrap' });
}

async function has(program: string): Promise<boolean> {
  return await succeeds(['sh', '-c', `command -v ${program}`]);
}

async function succeeds(command: readonly string[]): Promise<boolean> {
  return (await runCommand(command)).code === 0;
}

/**
 * @returns the URL of a Debian mirror: `FIT_STACK_MIRROR`, else the first one in the machine's apt sources; undefined
 * when there is none. No mirror's name is written into the project.
 */
export function aptMirror(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const chosen = environment['FIT_STACK_MIRROR'];
  if (chosen !== undefined && chosen !== '') return chosen;
  return aptSourceTexts()
    .map(firstMirror)
    .find((mirror) => mirror !== undefined);
}

/**
 * @returns the first mirror of one file of apt sources: of `URIs:` (deb822) or of a one-line `deb …` entry. Mirrors for
 * security updates are skipped, since they do not carry a complete suite.
 */
export function firstMirror(text: string): string | undefined {
  return text
    .split('\n')
    .flatMap(mirrorsInLine)
    .find((url) => !url.includes('security'));
}

function mirrorsInLine(line: string): string[] {
  const deb822 = /^URIs:\s*(.+)$/i.exec(line)?.[1];
  if (deb822 !== undefined) return deb822.trim().split(/\s+/);
  const oneLine = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+\S/.exec(line)?.[1];
  return oneLine === undefined ? [] : [oneLine];
}

/** @returns the texts in the order of apt, but the distribution's file before those of third parties. */
function aptSourceTexts(): string[] {
  const folder = join(APT_FOLDER, 'sources.list.d');
  const parts = list(folder).filter((name) => /\.(sources|list)$/.test(name));
  const distributionFirst = parts.toSorted(
    (a, b) => Number(isDistributionFile(b)) - Number(isDistributionFile(a)),
  );
  const paths = [
    join(APT_FOLDER, 'sources.list'),
    ...distributionFirst.map((name) => join(folder, name)),
  ];
  return paths.map(read).filter((text) => text !== '');
}

function isDistributionFile(fileName: string): boolean {
  return /^(debian|ubuntu)\./.test(fileName);
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
