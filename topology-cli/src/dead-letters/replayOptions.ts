/** What a replay is asked for, what it reports, and how a letter is made ready for it. */

import type { Declaration, KindDeclaration } from '@fit/topology';
import type { OutgoingDeadLetter } from '@fit/topology/amqp';
import type { DeskBroker } from './deskBroker.ts';
import type { Letter } from './letter.ts';
import type { LetterFilter } from './letterFilter.ts';
import type { LetterGroup } from './letterGroups.ts';
import { type ReplayRun, replayHeaders } from './ownHeaders.ts';

/** Which letters are replayed, how fast, and when to stop. */
export interface ReplayOptions {
  readonly broker: DeskBroker;
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly filter: LetterFilter;
  readonly run: ReplayRun;
  /** Letters to replay at most. */
  readonly limit: number;
  /** Letters per second; undefined: as fast as they are confirmed. */
  readonly ratePerSecond: number | undefined;
  readonly order: 'oldest' | 'newest';
  /** The run stops after so many came back dead. */
  readonly refailureLimit: number;
  /** Letters held at a time. */
  readonly holdLimit: number;
  /** How long a full queue may refuse; default 60,000 ms. */
  readonly patienceMs?: number;
  readonly isDryRun: boolean;
  readonly say: (line: string) => void;
}

/**
 * done: every letter in sight that matched was tried. limit: as many as asked for. refailures: too many came back. full,
 * unroutable: the queue took no more. broken: the connection was lost again and again, without a letter in between.
 * blocked: as many letters as may be held do not match, and the rest lies behind them.
 */
export type ReplayEnd =
  | 'done'
  | 'limit'
  | 'refailures'
  | 'full'
  | 'unroutable'
  | 'broken'
  | 'blocked';

/** What was replayed, what stayed, and what came back. */
export interface ReplayReport {
  readonly kind: string;
  readonly end: ReplayEnd;
  /** Under a dry run: what would be replayed. */
  readonly replayedCount: number;
  /** Matching letters that could not be sent, and stay. */
  readonly leftCount: number;
  /** Left out by the filter, or replayed by another run meanwhile; they stay. */
  readonly otherCount: number;
  /** Seen to come back dead; what comes back later is told by `followReplay`. */
  readonly cameBack: readonly LetterGroup[];
  /** What the letters that match died of. */
  readonly groups: readonly LetterGroup[];
  readonly problems: readonly string[];
}

/**
 * Pure: to the public exchange with the public key, so that it gets every attempt again; without its death, without what
 * steers the broker, with the mark of the run.
 */
export function replayed(letter: Letter, options: ReplayOptions, now: Date): OutgoingDeadLetter {
  const { declaration, kind, run } = options;
  return {
    exchange: declaration.exchange,
    key: kind.key,
    body: letter.body,
    properties: letter.properties,
    headers: replayHeaders(letter.headers, run, now),
  };
}

/** @returns how many letters the groups hold. */
export function countOf(groups: readonly LetterGroup[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}
