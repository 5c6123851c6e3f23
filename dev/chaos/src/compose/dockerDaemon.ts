/** A Docker daemon of Debian's packages, unpacked into a folder of the cache: nothing of it is installed on this machine. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Child, runCommand, StackError, startChild } from '@fit/stack';
import { CannotRun } from './cannotRun.ts';

const READY_MS = 60_000;

/**
 * Makes the root folder `/` in a mount namespace of its own, with the work folder at its own path, so that daemon and
 * client know the clone by the same name as this process. The last step is an exec: the child is the daemon.
 */
const SCRIPT = `
set -e
root=$1 work=$2 cgroup=$3
mount --rbind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/run" "$root/var/run"
mount -t tmpfs tmpfs "$root/run"
# A link to the former where Debian installs it; here nothing that a daemon leaves may stay in the cached folder.
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

/** The client in the daemon's mount namespace, in the caller's folder. */
const clientScript = (pid: number): string => `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
exec nsenter --target ${pid} --mount -- sh -c 'cd "$1" && shift && exec docker "$@"' docker "$PWD" "$@"
`;

export interface DaemonOptions {
  /** Of `dockerRootFolder`. */
  readonly root: string;
  readonly folder: string;
  readonly cgroup: string;
}

/**
 * Starts the daemon; from then on `docker` of this process and its children is its client.
 * @throws CannotRun with the end of the daemon's log.
 */
export async function startDockerDaemon({ root, folder, cgroup }: DaemonOptions): Promise<Child> {
  const programs = join(folder, 'bin');
  await mkdir(programs, { recursive: true });
  process.env['PATH'] = `${programs}:${process.env['PATH'] ?? ''}`;
  process.env['DOCKER_CONFIG'] = join(folder, 'docker-config');
  const failing = new AbortController();
  let written = Promise.resolve();
  try {
    return await startChild({
      name: 'Docker daemon',
      command: 'unshare',
      args: ['--mount', 'sh', '-c', SCRIPT, 'dockerd', root, folder, cgroup],
      logPath: join(folder, 'dockerd.log'),
      onSpawn: (pid) => {
        written = writeClient(join(programs, 'docker'), pid).catch((error: unknown) => {
          failing.abort(new StackError('FOLDER_UNUSABLE', String(error), error));
        });
      },
      ready: async () => {
        // Before, `docker` may be another client, which another daemon answers.
        await written;
        failing.signal.throwIfAborted();
        return (await runCommand(['docker', 'version'], { cwd: folder })).code === 0;
      },
      signal: failing.signal,
      deadlineMs: READY_MS,
    });
  } catch (error) {
    if (error instanceof StackError)
      throw new CannotRun(`no Docker daemon starts: ${error.message}`);
    throw error;
  }
}

async function writeClient(path: string, pid: number): Promise<void> {
  await writeFile(path, clientScript(pid));
  await chmod(path, 0o755);
}
