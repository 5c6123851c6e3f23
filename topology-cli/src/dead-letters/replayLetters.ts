/** Replays the letters of one kind, round by round. */
import { deadLetterQueue } from '@fit/topology';
import type { LetterGroup } from './letterGroups.ts';
import type { ReplayEnd, ReplayOptions, ReplayReport } from './replayOptions.ts';
import { type Round, replayRound } from './replayRound.ts';

const ROUND_LIMIT = 10_000;
/** Losses in a row without a letter between them: then it is a letter, or the broker. */
const LOSS_LIMIT = 3;

/**
 * Every letter that is in the queue when the last round begins and matches is published to the public exchange, and
 * acked once the broker has confirmed it. Killed at any point, or run twice at once, it loses no letter; some may be
 * published twice. Run it again to go on.
 * @throws where the broker is away.
 */
export async function replayLetters(options: ReplayOptions): Promise<ReplayReport> {
  const state: State = {
    replayedCount: 0,
    lossCount: 0,
    losses: [],
    holdLimit: options.holdLimit,
  };
  let groups: readonly LetterGroup[] | undefined;
  for (let number = 1; ; number += 1) {
    const limit = options.limit - state.replayedCount;
    const isCapped = state.holdLimit < options.holdLimit;
    const limits = { limit, holdLimit: state.holdLimit };
    const round = await replayRound(options, limits, state.replayedCount);
    state.replayedCount += round.sentCount;
    // The first round saw the most of them.
    if (round.end !== 'lost') groups ??= round.gathering.groups.list();
    if (round.end === 'lost') noteLoss(options, round, state);
    else Object.assign(state, { lossCount: 0, holdLimit: options.holdLimit });
    const standing = { lossCount: state.lossCount, limit, number, isCapped };
    const end = endOf(options, round, standing);
    if (end === undefined) continue;
    return {
      kind: options.kind.kind,
      end,
      replayedCount: options.isDryRun ? round.gathering.chosen.length : state.replayedCount,
      leftCount: round.leftCount + round.gathering.unreadableCount,
      otherCount: round.gathering.otherCount,
      cameBack: round.gathering.cameBack.list(),
      groups: groups ?? round.gathering.groups.list(),
      problems: [...state.losses, ...round.gathering.problems, ...round.problems],
    };
  }
}

interface State {
  replayedCount: number;
  lossCount: number;
  holdLimit: number;
  readonly losses: string[];
}

/** What breaks its reader cannot be passed, but what lies before it can be sent: the next round stops in front of it. */
function noteLoss({ kind, say, holdLimit }: ReplayOptions, round: Round, state: State): void {
  const { seenCount, end } = round.gathering;
  const place = end === 'lost' ? ` at letter ${seenCount + 1}` : '';
  const line = `${deadLetterQueue(kind.queue)}: the connection was lost${place}: ${round.lossReason}`;
  say(line);
  state.losses.push(line);
  state.lossCount = round.sentCount === 0 ? state.lossCount + 1 : 1;
  state.holdLimit = end === 'lost' && seenCount > 0 ? seenCount : holdLimit;
}

interface Standing {
  readonly lossCount: number;
  /** What the round was still allowed to send. */
  readonly limit: number;
  readonly number: number;
  /** It stopped in front of what broke the reader before. */
  readonly isCapped: boolean;
}

/** @returns why the replay is over, or undefined for another round. */
function endOf(options: ReplayOptions, round: Round, standing: Standing): ReplayEnd | undefined {
  switch (round.end) {
    case 'lost':
      return standing.lossCount >= LOSS_LIMIT ? 'broken' : undefined;
    case 'full':
    case 'unroutable':
    case 'refailures':
      return round.end;
    default:
      return round.sentCount >= standing.limit ? 'limit' : endOfReading(options, round, standing);
  }
}

function endOfReading(
  { isDryRun }: ReplayOptions,
  { end, gathering, sentCount }: Round,
  { number, isCapped }: Standing,
): ReplayEnd | undefined {
  if (number >= ROUND_LIMIT) return 'broken';
  if (end === 'over') return undefined;
  if (gathering.end === 'empty' || isDryRun) return 'done';
  if (sentCount > 0) return undefined;
  return isCapped ? 'broken' : 'blocked';
}
