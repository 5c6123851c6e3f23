/**
 * A Docker daemon that nobody else sees, made of Debian's packages in a folder of the cache: nothing is installed on this
 * machine. The check runs in namespaces of its own for processes, mounts and network. Daemon, containers, bridges,
 * firewall rules and mounts are in these namespaces and end with them: the kernel ends a PID namespace with its first
 * process, however that ends.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, runCommand, StackError, startChild } from '@fit/stack';

/** This machine cannot run the check, which is not a failure of the checked files. The message is a clause that gives the reason. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun';
}

const READY_TIMEOUT_MS = 60_000;
const PREFIX = 'fit-compose-check-';
const CGROUPS = '/sys/fs/cgroup';

const NAMESPACES = [
  'unshare',
  '--mount',
  '--net',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
];

/** @throws CannotRun with what this machine refuses. */
export async function requireNamespaces(): Promise<void> {
  if (process.platform !== 'linux') throw new CannotRun(`this is ${process.platform}, not Linux`);
  if (process.getuid?.() !== 0)
    throw new CannotRun(
      'no Docker daemon answers, and only root may start one (run it as root, or start a daemon)',
    );
  const { code, output } = await runCommand([...NAMESPACES, 'true']);
  if (code !== 0) throw new CannotRun(`namespaces cannot be created: ${output.trim()}`);
}

/**
 * Runs this program again in namespaces of its own.
 * @param signal ends the namespaces with everything in them.
 * @returns the exit code of the program.
 */
export async function runInNamespaces(
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  const [, program = ''] = process.argv;
  // unshare is killed when this process dies, and --kill-child passes that on to the namespaces.
  const args = ['--pdeathsig', 'KILL', '--', ...NAMESPACES, process.execPath, program];
  const child = spawn('setpriv', args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
    // A process group of its own, so that Ctrl-C reaches this process alone.
    detached: true,
  });
  const closed = new Promise<number>((resolve) => {
    child.once('error', () => {
      resolve(127);
    });
    child.once('close', (exitCode, name) => {
      resolve(exitCode ?? 128 + constants.signals[name ?? 'SIGKILL']);
    });
  });
  signal.addEventListener('abort', () => child.kill('SIGKILL'));
  const code = await closed;
  await removeCgroups(process.pid);
  return code;
}

/**
 * Makes the root folder `/` in a mount namespace of its own, with the work folder at its usual path, so that daemon,
 * client and this process have the same path for the clone. The last command is an exec: the child is the daemon.
 */
const DAEMON_SCRIPT = `
set -e
root=$1 work=$2 cgroup=$3
mount --rbind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/run" "$root/var/run"
mount -t tmpfs tmpfs "$root/run"
# Debian installs /var/run as a link to /run. Here it is a folder, and what a daemon leaves must not stay in the cache.
mount -t tmpfs tmpfs "$root/var/run"
mkdir -p "$root$work"
mount --rbind "$work" "$root$work"
cd "$root"
pivot_root . oldroot
cd /
umount -l /oldroot
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up
exec dockerd --data-root "$work/docker" --cgroup-parent "/$cgroup" --ip6tables=false
`;

/** The client runs in the daemon's mount namespace and in the folder of its caller. */
const clientScript = (daemonPid: number): string => `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
exec nsenter --target ${daemonPid} --mount -- sh -c 'cd "$1" && shift && exec docker "$@"' docker "$PWD" "$@"
`;

export interface DaemonOptions {
  /** The folder that `dockerRootFolder` made. */
  readonly root: string;
  /** The work folder of the check. */
  readonly folder: string;
  readonly cgroup: string;
}

/**
 * Starts the daemon. From then on the command `docker` of this process and its children is the daemon's client.
 * @throws CannotRun with the end of the daemon's log.
 */
export async function startDockerDaemon({ root, folder, cgroup }: DaemonOptions): Promise<Child> {
  const programs = join(folder, 'bin');
  await mkdir(programs, { recursive: true });
  process.env['PATH'] = `${programs}:${process.env['PATH'] ?? ''}`;
  process.env['DOCKER_CONFIG'] = join(folder, 'docker-config');
  const failing = new AbortController();
  let clientWritten = Promise.resolve();
  try {
    return await startChild({
      name: 'Docker daemon',
      command: 'unshare',
      args: ['--mount', 'sh', '-c', DAEMON_SCRIPT, 'dockerd', root, folder, cgroup],
      logPath: join(folder, 'dockerd.log'),
      onSpawn: (pid) => {
        clientWritten = writeClient(join(programs, 'docker'), pid).catch((error: unknown) => {
          failing.abort(new StackError('FOLDER_UNUSABLE', String(error), error));
        });
      },
      ready: async () => {
        // Until the client is written, `docker` may be another client, and another daemon would answer it.
        await clientWritten;
        failing.signal.throwIfAborted();
        return (await runCommand(['docker', 'version'], { cwd: folder })).code === 0;
      },
      signal: failing.signal,
      deadlineMs: READY_TIMEOUT_MS,
    });
  } catch (error) {
    if (error instanceof StackError)
      throw new CannotRun(`the Docker daemon does not start: ${error.message}`);
    throw error;
  }
}

async function writeClient(path: string, daemonPid: number): Promise<void> {
  await writeFile(path, clientScript(daemonPid));
  await chmod(path, 0o755);
}

/** The name of a check, by the process id of the command: of its work folder, its cgroups and its Compose project. */
export function checkName(pid: number): string {
  return `${PREFIX}${pid}`;
}

/** Creates the folder of the clone, the daemon's data and the stand-ins' sources; only its owner may read it. */
export async function createWorkFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), `${checkName(process.pid)}-`));
}

/** Removes work folders and cgroups of checks that were killed. */
export async function removeAbandonedWorkFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = /^fit-compose-check-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true });
    await removeCgroups(Number(pid));
  }
}

/** A daemon that is killed leaves its empty cgroups: folders of each hierarchy, which are removed from the leaves on. */
async function removeCgroups(pid: number): Promise<void> {
  if (!existsSync(CGROUPS)) return;
  const hierarchies = [CGROUPS, ...(await readdir(CGROUPS)).map((name) => join(CGROUPS, name))];
  for (const hierarchy of hierarchies) await removeCgroup(join(hierarchy, checkName(pid)));
}

async function removeCgroup(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries)
    if (entry.isDirectory()) await removeCgroup(join(folder, entry.name));
  // The kernel may remove the last process of a cgroup a moment later. An empty cgroup that stays costs nothing.
  await rmdir(folder).catch(() => undefined);
}
