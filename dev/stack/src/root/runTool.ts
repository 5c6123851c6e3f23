/** Prometheus' own checkers, run from the root folder on files of the host. */
import { resolve } from 'node:path';
import { runCommand } from '../process/runCommand.ts';
import { checkHost } from './checkHost.ts';
import { rootFolder } from './ensureRoot.ts';
import { enterRoot, ROOT_ENVIRONMENT } from './enterRoot.ts';

export interface ToolResult {
  /** 0 when the tool found nothing wrong. */
  readonly code: number;
  /** Standard output and standard error as they came. */
  readonly output: string;
}

export interface ToolOptions {
  /** The working directory; all of the host that the tool sees. */
  readonly cwd: string;
  /** Standard input; default: none. */
  readonly input?: string;
}

/**
 * Runs promtool or amtool with `cwd` as working directory; the tool sees that folder and nothing
 * else of the host, so file arguments are relative to it. It may write there, with the caller's
 * rights.
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`; a finding of the tool is an answer.
 */
export async function runTool(
  tool: 'promtool' | 'amtool',
  args: readonly string[],
  { cwd: folder, input }: ToolOptions,
): Promise<ToolResult> {
  const root = await rootFolder();
  const mounts = { stack: resolve(folder) };
  const words = ['env', '--chdir=/stack', `/usr/bin/${tool}`, ...args];
  const command = enterRoot({ root, mode: await checkHost(), mounts, user: 'caller' }, words);
  const { code, output } = await runCommand(command, {
    env: { ...ROOT_ENVIRONMENT, HOME: '/tmp' },
    input,
  });
  return { code, output };
}

/** `runTool('promtool', …)` on files in `cwd`. */
export async function promtool(args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  return await runTool('promtool', args, options);
}

/** `runTool('amtool', …)` on files in `cwd`. */
export async function amtool(args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  return await runTool('amtool', args, options);
}
