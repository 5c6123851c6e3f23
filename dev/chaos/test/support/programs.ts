/** Programs of this repository as child processes of a test. */
import { resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { type RunResult, runCommand } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { execa } from 'execa';
import type { SystemUnderTest } from './systemUnderTest.ts';

export const REPOSITORY = resolve(import.meta.dirname, '../../../..');
/** A program that starts in spite of a wrong configuration would never end by itself. */
const PROGRAM_TIMEOUT_MS = 120_000;
const HALF_A_DAY_MS = 12 * 3_600_000;

/**
 * Runs a program to its end.
 * @param args file of the program in the repository, and its arguments.
 * @param env its whole environment.
 * @returns exit code and output.
 */
export async function runProgram(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<RunResult> {
  return await runCommand([process.execPath, ...args], {
    cwd: REPOSITORY,
    env,
    signal: AbortSignal.timeout(PROGRAM_TIMEOUT_MS),
  });
}

export interface RunningProgram {
  /** Standard output and standard error until now. */
  readonly output: () => string;
  /**
   * Sends the signal and waits for the end of the program.
   * @param signal default SIGTERM.
   * @returns the exit code, or the signal if the program had no handler for it and was ended by it.
   */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** Starts a program that does not end by itself; it is killed at the end of the test. Parameters as of `runProgram`. */
export function startProgram(
  t: TestContext,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): RunningProgram {
  const program = execa(process.execPath, args, {
    cwd: REPOSITORY,
    env,
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    forceKillAfterDelay: false,
  });
  t.after(() => program.kill('SIGKILL'));
  let output = '';
  program.all.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    output: () => output,
    stop: async (signal = 'SIGTERM') => {
      program.kill(signal);
      const end = await program;
      return end.exitCode ?? end.signal!;
    },
  };
}

export interface RunningCron extends RunningProgram {
  /** The address of its metrics and health. */
  readonly url: string;
}

/**
 * Starts `npm run cron` and waits until it listens. Its schedule is daily and half a day away, so that the missed slot is
 * half a day old and no slot becomes due during the test.
 * @param env further variables, such as another schedule.
 */
export async function startCron(
  t: TestContext,
  tested: SystemUnderTest,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningCron> {
  const slot = new Date(Date.now() + HALF_A_DAY_MS);
  const cron = startProgram(t, ['cron_job.ts'], {
    ...tested.env,
    METRICS_PORT: '0',
    CRON_SCHEDULE: `${slot.getUTCMinutes()} ${slot.getUTCHours()} * * *`,
    CRON_TIMEZONE: 'UTC',
    ...env,
  });
  const url = await eventually(() => /metrics and health on (\S+)/.exec(cron.output())?.[1], {
    deadlineMs: 30_000,
    describe: cron.output,
  });
  return { ...cron, url };
}
