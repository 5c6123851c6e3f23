/** `dlq ls`: what lies there, in groups. */

import type { Context } from '../../command.ts';
import { deskBroker } from '../../dead-letters/deskBroker.ts';
import { isMatch } from '../../dead-letters/letterFilter.ts';
import { type LetterGroup, LetterGroups } from '../../dead-letters/letterGroups.ts';
import { lookThrough } from '../../dead-letters/lookThrough.ts';
import { Progress } from '../../dead-letters/progress.ts';
import { filterOf, holdLimitOf, kindsOf, limitOf, refuseWords } from './options.ts';
import { groupLines } from './print.ts';

interface KindListing {
  readonly kind: string;
  readonly seenCount: number;
  /** Letters in the queue, seen or not; undefined where the reader broke. */
  readonly queueCount: number | undefined;
  readonly matchingCount: number;
  readonly unreadableCount: number;
  readonly groups: readonly LetterGroup[];
  /** True: there are letters behind those that were looked at. */
  readonly hasMore: boolean;
  /** True: the reader broke each time at the letter behind these. */
  readonly isBroken: boolean;
}

export async function runLs(context: Context): Promise<number> {
  refuseWords(context);
  const listings: KindListing[] = [];
  for (const kind of kindsOf(context)) listings.push(await list(context, kind));
  if (context.isJson) context.print(JSON.stringify({ kinds: listings }));
  else for (const listing of listings) for (const line of lines(listing)) context.print(line);
  for (const { kind, hasMore, seenCount, queueCount, isBroken } of listings) {
    if (hasMore)
      context.say(
        `${kind}: ${queueCount ?? 0} letters in the queue, ${seenCount} looked at: --look ${queueCount ?? 0} sees all`,
      );
    if (isBroken)
      context.say(
        `${kind}: letter ${seenCount + 1} breaks its reader; what lies behind it was not seen`,
      );
  }
  return listings.some(({ isBroken }) => isBroken) ? 2 : 0;
}

async function list(
  context: Context,
  kind: Context['declaration']['kinds'][number],
): Promise<KindListing> {
  const [filter, limit] = [filterOf(context), limitOf(context)];
  const progress = new Progress(context.say);
  let groups = new LetterGroups();
  const tally = { seenCount: 0, matchingCount: 0, unreadableCount: 0 };
  const { end, behindCount } = await lookThrough({
    broker: deskBroker(context.amqpUrl),
    kind,
    say: context.say,
    holdLimit: holdLimitOf(context),
    // Groups are made of headers alone.
    needsBody: () => false,
    onStart: () => {
      groups = new LetterGroups();
      Object.assign(tally, { seenCount: 0, matchingCount: 0, unreadableCount: 0 });
    },
    onLetter: (letter) => {
      tally.seenCount += 1;
      progress.tick(() => `${kind.kind}: ${tally.seenCount} letters seen`);
      if (!isMatch(letter, filter)) return false;
      tally.matchingCount += 1;
      if (letter.unreadableReason !== undefined) tally.unreadableCount += 1;
      groups.add(letter);
      return tally.matchingCount >= limit;
    },
  });
  return {
    kind: kind.kind,
    ...tally,
    queueCount: behindCount === undefined ? undefined : tally.seenCount + behindCount,
    groups: groups.list(),
    hasMore: end === 'full',
    isBroken: end === 'lost',
  };
}

function lines(listing: KindListing): string[] {
  const { kind, seenCount, queueCount, matchingCount, unreadableCount, groups } = listing;
  const unreadable = unreadableCount === 0 ? '' : `, ${unreadableCount} with unreadable headers`;
  const matching =
    seenCount === matchingCount
      ? `${seenCount} letters`
      : `${matchingCount} of ${seenCount} letters match`;
  const inAll = queueCount === seenCount ? '' : `; ${queueCount ?? 'unknown'} in the queue`;
  return [`${kind}: ${matching}${unreadable}${inAll}`, ...groupLines(groups)];
}
