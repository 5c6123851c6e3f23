/** The daily trigger as a process that stays, with its metrics on a free port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { REPOSITORY, type World } from './world.ts';

export interface Cron {
  /** Of metrics and health. */
  readonly url: string;
  readonly output: () => string;
  /** @returns the exit code after SIGTERM. */
  stop(): Promise<number | null>;
}

/** The slot that is caught up was as long ago as the next is away: no slot passes while a test runs. */
const HALF_A_DAY_MS = 12 * 3_600_000;

/** Daily, at that time of the day. */
function scheduleAt(at: Date): Record<string, string> {
  return {
    CRON_SCHEDULE: `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`,
    CRON_TIMEZONE: 'UTC',
  };
}

export async function startCron(
  t: TestContext,
  { system }: World,
  env: Readonly<Record<string, string>> = {},
): Promise<Cron> {
  const child: ChildProcess = spawn(process.execPath, ['cron_job.ts'], {
    cwd: REPOSITORY,
    env: {
      ...process.env,
      FIT_URL: system.monolith.url,
      FIT_ADMIN_TOKEN: system.adminToken,
      METRICS_PORT: '0',
      ...scheduleAt(new Date(Date.now() + HALF_A_DAY_MS)),
      ...env,
    },
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const url = await eventually(() => /metrics and health on (\S+)/.exec(output)?.[1], {
    deadlineMs: 30_000,
    describe: () => output,
  });
  return {
    url,
    output: () => output,
    stop: async () => {
      const exit = once(child, 'exit') as Promise<[number | null]>;
      child.kill('SIGTERM');
      return (await exit)[0];
    },
  };
}
