/**
 * The command line that runs a program inside a root folder, as a direct child, leaving nothing
 * mounted.
 */
import type { EntryMode } from './checkHost.ts';

/** The unprivileged user of all services: the broker and the database refuse to run as root. */
export const SERVICE_USER_ID = 64_321;

/** The environment every program in a root folder gets. */
export const ROOT_ENVIRONMENT: Readonly<Record<string, string>> = Object.freeze({
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
});

/**
 * Folders of the host made visible inside. The first one holds data; the second holds the gateway.
 */
export interface RootMounts {
  readonly stack: string;
  readonly gateway?: string;
}

export interface RootEntry {
  readonly root: string;
  readonly mode: EntryMode;
  readonly mounts: RootMounts;
  /** `service` is the unprivileged user; `caller` keeps the rights of whoever started us. */
  readonly user: 'service' | 'caller';
}

/**
 * Each program gets a mount namespace of its own, in which the root folder becomes `/`. The mounts
 * vanish with the last process of the namespace, so there is nothing to unmount, several stacks
 * share one root folder, and the namespace tells which processes belong to a service. Every step is
 * an exec: the process id stays the same, and the service is a direct child of the launcher.
 * pivot_root and not chroot, because the kernel refuses a second user namespace (needed without
 * root) inside a chroot.
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

/** The words to execute on the host so that `command` runs inside the root folder. */
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
    ...(entry.user === 'service' ? becomeService(entry.mode) : []),
    ...command,
  ];
}

/**
 * The kernel forgets the parent-death signal when the user changes, so it is asked for again after.
 */
function becomeService(mode: EntryMode): string[] {
  const id = SERVICE_USER_ID;
  if (mode === 'user') {
    const map = [`--map-user=${id}`, `--map-group=${id}`];
    return ['unshare', '--user', ...map, 'setpriv', '--pdeathsig=KILL', '--'];
  }
  return ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups', '--pdeathsig=KILL', '--'];
}
