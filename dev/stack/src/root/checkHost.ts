/** Whether this machine can run the native stack, found out before anything is started. */
import { existsSync } from 'node:fs';
import { mustRun, runCommand, type StepOptions } from '../process/runCommand.ts';
import { unsupportedHost } from '../stackError.ts';
import { aptMirror } from './aptMirror.ts';

/** Root enters the root folder by itself; others need a user namespace. */
export type EntryMode = 'root' | 'user';

let checked: EntryMode | undefined;

/**
 * How services can be started here; asked once per process.
 * @throws StackError `HOST_UNSUPPORTED` with the two other ways.
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
 * What building a root folder needs beyond running one: apt, a mirror, and mmdebstrap, which root
 * installs here.
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
  // Without the signal: the host's packages are not left half-installed by a stop that can wait for seconds.
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
