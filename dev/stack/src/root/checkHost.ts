/** Checks, before anything is started, whether this machine can build and run the native stack. */
import { existsSync } from 'node:fs';
import { mustRun, runCommand, type StepOptions } from '../process/runCommand.ts';
import { unsupportedHost } from '../stackError.ts';

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
 * Checks what building a root folder needs beyond running one: apt, a mirror and mmdebstrap, which is installed if
 * this process is root.
 * @returns the mirror.
 * @throws StackError `HOST_UNSUPPORTED`.
 */
export async function checkBuilder(step: StepOptions): Promise<string> {
  if (!existsSync('/usr/bin/apt-get'))
    throw unsupportedHost('there is no apt to fetch packages with');
  const mirror = await debianMirror();
  if (mirror === undefined) {
    throw unsupportedHost(
      'no mirror in the apt sources (FIT_STACK_MIRROR=<URL of a Debian mirror> sets one)',
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
 * @returns the URL of a Debian mirror: `FIT_STACK_MIRROR`, else one of the machine's apt sources; undefined when there is
 * none. No mirror's name is written into the project.
 */
async function debianMirror(): Promise<string | undefined> {
  const { FIT_STACK_MIRROR: chosen = '' } = process.env;
  if (chosen !== '') return chosen;
  const { stdout } = await runCommand(['apt-get', 'update', '--print-uris']);
  return mirrorAmong(stdout);
}

/**
 * @param uris what `apt-get update --print-uris` prints, which takes no rights and no package lists.
 * @returns the first mirror named debian, else the first one: sources of third parties have other names. Mirrors of
 * security updates are skipped, since they do not carry a complete suite.
 */
export function mirrorAmong(uris: string): string | undefined {
  const mirrors = [...uris.matchAll(/^'(\S+?)\/dists\/\S*InRelease'/gm)]
    .map(([, mirror = '']) => mirror)
    .filter((mirror) => !mirror.includes('security'));
  return mirrors.find((mirror) => mirror.endsWith('/debian')) ?? mirrors[0];
}
