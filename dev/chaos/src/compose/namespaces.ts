/**
 * The check in namespaces of its own: processes, mounts, network. What it starts (daemon, containers, bridges, firewall
 * rules, mounts) is seen by nobody else and ends with it, however it ends: the kernel ends a PID namespace with its
 * first process.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { runCommand } from '@fit/stack';
import { CannotRun } from './cannotRun.ts';
import { removeCgroups } from './workFolder.ts';

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
export async function checkNamespaces(): Promise<void> {
  if (process.platform !== 'linux') throw new CannotRun(`this is ${process.platform}, not Linux`);
  if (process.getuid?.() !== 0)
    throw new CannotRun(
      'no Docker daemon answers, and only root may start one (as root, or with a running daemon)',
    );
  const { code, output } = await runCommand([...NAMESPACES, 'true']);
  if (code !== 0) throw new CannotRun(`no namespaces can be made: ${output.trim()}`);
}

/**
 * Runs this program again in the namespaces.
 * @param signal ends the namespaces, and all that is in them, at once.
 * @returns its exit code.
 */
export async function runInNamespaces(
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  const [, entry = ''] = process.argv;
  // The signal at the parent's death reaches unshare, and --kill-child all that is below it.
  const words = ['--pdeathsig', 'KILL', '--', ...NAMESPACES, process.execPath, entry];
  const child = spawn('setpriv', words, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
    // A group of its own: Ctrl-C reaches this process alone.
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
