/** Waits for the end of a run, and reports what changes. */
import { setTimeout as delay } from 'node:timers/promises';
import { type FitClient, isRepeatable, type RunStatusReply } from './fitClient.ts';

export interface FollowOptions {
  readonly client: FitClient;
  readonly runId: string;
  /** How long to wait, in milliseconds. */
  readonly waitMs: number;
  readonly onProgress: (line: string) => void;
}

const POLL_MS = 1_000;
const FIRST_POLL_MS = 200;

/**
 * While the monolith does not answer, the wait goes on, and so does the run.
 * @returns the status at the end of the run.
 * @throws Error after `waitMs`, with the last known state; the run itself goes on.
 */
export async function followRun(options: FollowOptions): Promise<RunStatusReply> {
  const deadlineMs = Date.now() + options.waitMs;
  let lastLine = '';
  let pauseMs = FIRST_POLL_MS;
  for (;;) {
    const status = await statusOrReason(options);
    const line = typeof status === 'string' ? status : describeRun(status);
    if (line !== lastLine) options.onProgress(line);
    lastLine = line;
    if (typeof status !== 'string' && (status.state === 'finished' || status.state === 'cancelled'))
      return status;
    if (Date.now() > deadlineMs)
      throw new Error(`run ${options.runId} did not end within ${options.waitMs} ms: ${line}`);
    await delay(pauseMs);
    pauseMs = Math.min(POLL_MS, pauseMs * 2);
  }
}

async function statusOrReason({ client, runId }: FollowOptions): Promise<RunStatusReply | string> {
  try {
    return await client.run(runId);
  } catch (error) {
    if (!isRepeatable(error)) throw error;
    return 'the monolith does not answer; waiting';
  }
}

/**
 * @returns text such as '120 of 1000 stored (12 % ended), 30/s, about 29 s left; waiting 3, dead 1; died of: exhausted 1', and
 * before all jobs are recorded '0 of 5000 stored (0 % ended); recording: 2000 of 5000'.
 */
function describeRun(status: RunStatusReply): string {
  const {
    state,
    states,
    causes,
    total = '?',
    expanded,
    percent,
    ratePerSecond,
    etaSeconds,
  } = status;
  const rate = etaSeconds === undefined ? '' : `, ${ratePerSecond}/s, about ${etaSeconds} s left`;
  const others = Object.entries(states)
    .filter(([state]) => state !== 'done')
    .map(([state, count]) => `${state} ${count}`);
  const deaths = Object.entries(causes).map(([cause, count]) => `${cause} ${count}`);
  return [
    `${states['done'] ?? 0} of ${total} stored (${percent} % ended)${rate}`,
    ...(state === 'accepting' ? [`recording: ${expanded} of ${total}`] : []),
    ...(others.length > 0 ? [others.join(', ')] : []),
    ...(deaths.length > 0 ? [`died of: ${deaths.join(', ')}`] : []),
  ].join('; ');
}
