/** Which headers are the sender's, which the broker's, and which the desk writes itself. */
import type { Headers } from '@fit/topology';
import { REPLAYED_AT_HEADER } from '@fit/topology';

/** What the desk writes on a letter. `death-` names go when it is replayed, `replay-` names stay. */
export const DESK_HEADER = {
  replayId: 'replay-id',
  replayCount: 'replay-count',
  /** Milliseconds since 1970: a run leaves alone what was replayed since the run began. */
  replayAt: REPLAYED_AT_HEADER,
} as const;

/**
 * Written or obeyed by the broker. Sent back, x-death spends the old budget (3.10) or stops the message as a cycle, and
 * CC sends it to a tier at once (topology.md, traps 2 and 4). Other x- names are the sender's own business.
 */
const BROKER_HEADER =
  /^(?:x-death|x-(?:first|last)-death-.*|x-delivery-count|x-acquired-count|x-opt-.*|x-stream-.*|cc|bcc)$/i;

/** @returns what the sender and the worker wrote: everything but the broker's headers, CC and BCC. */
export function ownHeaders(headers: Headers): Record<string, unknown> {
  return pick(headers, (name) => !BROKER_HEADER.test(name));
}

/** The run of a replay, as its letters carry it. */
export interface ReplayRun {
  readonly replayId: string;
  readonly startedAt: Date;
}

/** @returns own headers without the death, and with the mark of this run. */
export function replayHeaders(headers: Headers, run: ReplayRun, now: Date): Headers {
  return {
    ...pick(ownHeaders(headers), (name) => !name.toLowerCase().startsWith('death-')),
    [DESK_HEADER.replayId]: run.replayId,
    [DESK_HEADER.replayCount]: countIn(headers) + 1,
    [DESK_HEADER.replayAt]: now.getTime(),
  };
}

/** own: it came back from this run. other: another run replayed it meanwhile. */
export type ReplayMark = 'none' | 'own' | 'other';

/** @returns whether a letter was replayed since this run began; an older mark counts as none. */
export function replayMark(headers: Headers, run: ReplayRun): ReplayMark {
  if (headers[DESK_HEADER.replayId] === run.replayId) return 'own';
  const at = headers[DESK_HEADER.replayAt];
  return typeof at === 'number' && at >= run.startedAt.getTime() ? 'other' : 'none';
}

function countIn(headers: Headers): number {
  const count = headers[DESK_HEADER.replayCount];
  return typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : 0;
}

/** Keeps `__proto__` a name like any other. */
function pick(headers: Headers, isWanted: (name: string) => boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => isWanted(name)));
}
