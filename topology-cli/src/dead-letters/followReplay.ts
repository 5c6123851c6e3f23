/** Waits until what was replayed is gone or back. */

import { deadLetterQueue, waitQueue } from '@fit/topology';
import type { Inspector } from '@fit/topology/amqp';
import { DeadLetterReaderLost } from '@fit/topology/amqp';
import { readLetter } from './letter.ts';
import { type LetterGroup, LetterGroups } from './letterGroups.ts';
import { replayMark } from './ownHeaders.ts';
import { closeQuietly, readBox } from './readBox.ts';
import type { ReplayOptions } from './replayOptions.ts';
import { TailWatch } from './tailWatch.ts';

/** What became of replayed letters so far. */
export interface FollowReport {
  readonly kind: string;
  /** settled: none is under way any more. underWay: the deadline came first. unseen: the letters could not be watched. */
  readonly end: 'settled' | 'underWay' | 'unseen';
  readonly cameBack: readonly LetterGroup[];
}

const SLOWEST_POLL_MS = 500;
const TRY_LIMIT = 3;
/** Queueing behind other work, beyond the waits and the deadlines of the attempts themselves. */
const SLACK_MS = 60_000;

/**
 * A message is under way while it lies in the queue or a wait queue, which the broker tells, or while a worker holds it,
 * which it does not: hence the queues must have been empty for as long as an attempt may last.
 * @param replayedCount letters of this kind that were replayed.
 * @throws where the broker is away.
 */
export async function followReplay(
  options: ReplayOptions,
  replayedCount: number,
): Promise<FollowReport> {
  const { kind, broker } = options;
  const deadline = performance.now() + longestMs(options);
  const inspector = await broker.openInspector();
  try {
    const queues = await existing(inspector, queuesOf(options));
    for (let attempt = 1; ; attempt += 1) {
      const report = await watch(options, {
        replayedCount,
        deadline,
        isIdle: () => isIdle(inspector, queues),
      });
      if (report !== undefined) return report;
      if (attempt === TRY_LIMIT) return { kind: kind.kind, end: 'unseen', cameBack: [] };
    }
  } finally {
    await inspector.close();
  }
}

/** Pure: the longest that a message with a full budget can be under way, when nothing queues before it. */
export function longestMs({ kind }: Pick<ReplayOptions, 'kind'>): number {
  const waitsMs = kind.tiersMs.reduce((sum, tierMs) => sum + tierMs, 0);
  return waitsMs + (kind.tiersMs.length + 1) * kind.deadlineMs + SLACK_MS;
}

interface Followed {
  readonly replayedCount: number;
  /** On the clock of `performance`. */
  readonly deadline: number;
  readonly isIdle: () => Promise<boolean>;
}

/** @returns undefined where the connection was lost: what was counted is in the queue again, to be counted anew. */
async function watch(options: ReplayOptions, of: Followed): Promise<FollowReport | undefined> {
  const { kind, run, refailureLimit, holdLimit } = options;
  const box = await options.broker.openBox(deadLetterQueue(kind.queue));
  const cameBack = new LetterGroups();
  const ended = (end: FollowReport['end']) => ({ kind: kind.kind, end, cameBack: cameBack.list() });
  try {
    const { end } = await readBox(box, holdLimit, (held) => {
      const letter = readLetter(kind, held);
      if (replayMark(letter.headers, run) === 'own') cameBack.add(letter);
      return 'hold';
    });
    if (end === 'lost') return undefined;
    const tail = await TailWatch.begin(box, end, { kind, run, refailureLimit, cameBack });
    if (tail.isBlind) return ended('unseen');
    return ended(await untilSettled(options, of, tail));
  } catch (error) {
    if (error instanceof DeadLetterReaderLost) return undefined;
    throw error;
  } finally {
    await closeQuietly(box);
  }
}

async function untilSettled(
  { kind, say }: ReplayOptions,
  of: Followed,
  tail: TailWatch,
): Promise<'settled' | 'underWay'> {
  const pollMs = Math.min(SLOWEST_POLL_MS, ...kind.tiersMs.map((tierMs) => tierMs / 4));
  let idleSince = performance.now();
  let told = -1;
  while (performance.now() < of.deadline) {
    const count = await tail.count();
    if (count >= of.replayedCount) return 'settled';
    const isIdle = await of.isIdle();
    if (!isIdle) idleSince = performance.now();
    const isSilent = performance.now() - idleSince > kind.deadlineMs;
    // Once more after the queues fell silent: the last one may have died between the two looks.
    if (isIdle && isSilent && (await tail.count()) === count) return 'settled';
    if (count !== told) say(`${kind.kind}: ${count} of ${of.replayedCount} came back`);
    told = count;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return 'underWay';
}

function queuesOf({ kind }: ReplayOptions): string[] {
  const waits = kind.tiersMs.map((_, index) => waitQueue(kind, index + 1));
  return kind.backend === 'native' ? [kind.queue] : [kind.queue, ...waits];
}

/** With `auto` the broker decides whether there are wait queues. */
async function existing(inspector: Inspector, queues: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const queue of queues) {
    if (await isThere(inspector, queue)) found.push(queue);
  }
  return found;
}

async function isThere(inspector: Inspector, queue: string): Promise<boolean> {
  // A missing queue costs the inspector its connection, which comes back by itself.
  for (let turn = 0; !inspector.isUp && turn < 100; turn += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
  try {
    await inspector.depthOf(queue);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 404) return false;
    throw error;
  }
}

async function isIdle(inspector: Inspector, queues: readonly string[]): Promise<boolean> {
  try {
    for (const queue of queues) if ((await inspector.depthOf(queue)).readyCount > 0) return false;
    return true;
  } catch {
    // Not known is not idle.
    return false;
  }
}
