/** Headers of a message that is replayed from a dead-letter queue. */
import { REPLAYED_AT_HEADER } from './eligibleAt.ts';
import type { Headers } from './xDeath.ts';

/** Identifies what was replayed together. */
export interface ReplayRun {
  readonly replayId: string;
  readonly startedAt: Date;
}

const REPLAY_ID_HEADER = 'replay-id';
const REPLAY_COUNT_HEADER = 'replay-count';
/** Headers that a worker writes about a death begin with it; they are not true of the replayed message. */
const DEATH_PREFIX = 'death-';

/**
 * Headers that the broker writes or obeys. If they were sent back, x-death would count the attempts of the previous
 * processing as spent (3.10) or stop the message as a cycle, and CC would send it to a wait queue at once. Other x- headers
 * belong to the sender.
 */
const BROKER_HEADER =
  /^(?:x-death|x-(?:first|last)-death-.*|x-delivery-count|x-acquired-count|x-opt-.*|x-stream-.*|cc|bcc)$/i;

/** @returns the headers of the sender, without any death, and the marks of this run. */
export function replayHeaders(headers: Headers, run: ReplayRun, now: Date): Headers {
  const kept = Object.entries(headers).filter(
    ([name]) => !BROKER_HEADER.test(name) && !name.toLowerCase().startsWith(DEATH_PREFIX),
  );
  // fromEntries keeps a header of the name `__proto__` as an ordinary one.
  return {
    ...Object.fromEntries(kept),
    [REPLAY_ID_HEADER]: run.replayId,
    [REPLAY_COUNT_HEADER]: replayCountIn(headers) + 1,
    [REPLAYED_AT_HEADER]: now.getTime(),
  };
}

/**
 * @returns `this run` if this run replayed the message and it was dead-lettered again; `another run` if another run has
 * replayed it since this run started; undefined if it was not replayed since then.
 */
export function replayedBy(
  headers: Headers,
  run: ReplayRun,
): 'this run' | 'another run' | undefined {
  if (headers[REPLAY_ID_HEADER] === run.replayId) return 'this run';
  const atMs = headers[REPLAYED_AT_HEADER];
  return typeof atMs === 'number' && atMs >= run.startedAt.getTime() ? 'another run' : undefined;
}

/** @returns how often a message was replayed; 0 also for a header that no replay wrote. */
export function replayCountIn(headers: Headers): number {
  const count = headers[REPLAY_COUNT_HEADER];
  return typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : 0;
}
