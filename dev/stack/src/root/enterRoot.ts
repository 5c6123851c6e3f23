/** The command line that runs a program inside a root folder, as a direct child, and leaves nothing mounted. */
import type { EntryMode } from './checkHost.ts';

/** Unprivileged user of all servers: the broker and the database refuse to run as root. */
export const SERVER_USER_ID = 64_321;

/** Environment of every program in a root folder. */
export const ROOT_ENVIRONMENT: Readonly<Record<string, string>> = Object.freeze({
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
});

/** Folders of the host that are visible inside. */
export interface RootMounts {
  /** Visible as `/stack`; holds the data. */
  readonly stack: string;
  /** Visible as `/gateway`; holds the gateway's executable. */
  readonly gateway?: string;
}

export interface RootEntry {
  readonly root: string;
  readonly mode: EntryMode;
  readonly mounts: RootMounts;
  /** `server`: the unprivileged user; `caller`: the user of this process. */
  readonly user: 'server' | 'caller';
}

/**
 * Makes the root folder `/` of a mount namespace that only this program and its children have. The mounts end with the
 * last process of the namespace, so there is nothing to unmount, several stacks share one root folder, and the namespace
 * identifies the processes of a server. Every step is an exec: the process id stays the same, and the server is a direct
 * child of the launcher. The script uses pivot_root and not chroot, because the kernel refuses a second user namespace
 * (needed without root) inside a chroot.
 */
const SCRIPT = `
set -e
root=$1
shift
mount --rbind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
while [ "$1" != -- ]; do
  mount --rbind "$1" "$root$2"
  shift 2
done
shift
cd "$root"
pivot_root . oldroot
cd /
umount -l /oldroot
exec "$@"
`;

/** @returns the words to execute on the host so that `command` runs inside the root folder. */
export function enterRoot(entry: RootEntry, command: readonly string[]): string[] {
  const mounts = [entry.mounts.stack, '/stack'];
  if (entry.mounts.gateway !== undefined) mounts.push(entry.mounts.gateway, '/gateway');
  const namespaces = entry.mode === 'user' ? ['--user', '--map-root-user', '--mount'] : ['--mount'];
  return [
    'unshare',
    ...namespaces,
    '--propagation=private',
    'sh',
    '-c',
    SCRIPT,
    'enter',
    entry.root,
    ...mounts,
    '--',
    ...(entry.user === 'server' ? becomeServerUser(entry.mode) : []),
    ...command,
  ];
}

/** Sets the parent-death signal again, which the kernel clears when the user changes. */
function becomeServerUser(mode: EntryMode): string[] {
  const id = SERVER_USER_ID;
  if (mode === 'user') {
    const map = [`--map-user=${id}`, `--map-group=${id}`];
    return ['unshare', '--user', ...map, 'setpriv', '--pdeathsig=KILL', '--'];
  }
  return ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups', '--pdeathsig=KILL', '--'];
}
