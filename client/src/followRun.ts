/** Waits for the end of a run and reports its progress. */
import { type FitClient, FitRequestError, type RunStatusReply } from './fitClient.ts';

export interface FollowOptions {
  readonly client: FitClient;
  readonly runId: string;
  readonly waitMs: number;
  readonly onProgress: (line: string) => void;
}

const POLL_MS = 1_000;
const FIRST_POLL_MS = 200;

/**
 * Waits also while the monolith does not answer, because the run continues on the broker and the coaches.
 * @returns the status at the end of the run.
 * @throws Error after `waitMs`, with the last known state; the run itself continues.
 */
export async function followRun(options: FollowOptions): Promise<RunStatusReply> {
  const deadline = Date.now() + options.waitMs;
  let shown = '';
  let pauseMs = FIRST_POLL_MS;
  for (;;) {
    const status = await statusOrFailure(options);
    const line = typeof status === 'string' ? status : describeRun(status);
    if (line !== shown) options.onProgress(line);
    shown = line;
    if (typeof status !== 'string' && status.state === 'finished') return status;
    if (Date.now() > deadline)
      throw new Error(`run ${options.runId} did not end within ${options.waitMs} ms: ${line}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(POLL_MS, pauseMs * 2);
  }
}

async function statusOrFailure({ client, runId }: FollowOptions): Promise<RunStatusReply | string> {
  try {
    return await client.run(runId);
  } catch (error) {
    // A 4xx is final; after any other failure the monolith may answer again.
    if (error instanceof FitRequestError && error.status < 500) throw error;
    return 'the monolith does not answer; waiting';
  }
}

/** @returns '120 of 1000 stored (12 %), 30/s, 29 s left; waiting 3, dead 1 (exhausted 1)'. */
function describeRun(status: RunStatusReply): string {
  const { states, causes, total, percent, ratePerSecond, etaSeconds } = status;
  const pace = etaSeconds === undefined ? '' : `, ${ratePerSecond}/s, about ${etaSeconds} s left`;
  const rest = Object.entries(states)
    .filter(([state]) => state !== 'done')
    .map(([state, count]) => `${state} ${count}`);
  const why = Object.entries(causes).map(([cause, count]) => `${cause} ${count}`);
  return [
    `${states['done'] ?? 0} of ${total} stored (${percent} % ended)${pace}`,
    ...(rest.length > 0 ? [rest.join(', ')] : []),
    ...(why.length > 0 ? [`died of: ${why.join(', ')}`] : []),
  ].join('; ');
}
