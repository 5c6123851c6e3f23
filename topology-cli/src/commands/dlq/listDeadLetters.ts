/** `topology dlq ls`: the dead letters of each kind, in groups. */
import type { KindDeclaration } from '@fit/topology';
import { type CommandContext, EXIT_DIFFERENT, refusePositionals } from '../../command.ts';
import { browseDeadLetters, deadLetterBroker } from '../../dead-letters/browseDeadLetters.ts';
import { matchesFilter } from '../../dead-letters/deadLetterFilter.ts';
import { type DeadLetterGroup, DeadLetterGroups } from '../../dead-letters/deadLetterGroups.ts';
import { ProgressLog } from '../../dead-letters/operatorLog.ts';
import { chosenKinds, filterOption, limitOption, readLimitOption } from './dlqOptions.ts';
import { groupLines } from './terminalText.ts';

interface KindListing {
  readonly kind: string;
  /** Dead letters that were read. */
  readonly seenCount: number;
  /** Dead letters in the queue, read or not; undefined if the reader broke. */
  readonly queueCount: number | undefined;
  readonly matchingCount: number;
  readonly unreadableCount: number;
  readonly groups: readonly DeadLetterGroup[];
  /** True: there are dead letters behind those that were read. */
  readonly hasMore: boolean;
  /** True: the reader broke each time at the dead letter behind these. */
  readonly isBroken: boolean;
}

export async function listDeadLetters(context: CommandContext): Promise<number> {
  refusePositionals(context);
  const listings: KindListing[] = [];
  for (const kind of chosenKinds(context)) listings.push(await listKind(context, kind));
  if (context.isJson) context.print(JSON.stringify({ kinds: listings }));
  else for (const line of listings.flatMap(listingLines)) context.print(line);
  for (const { kind, hasMore, seenCount, queueCount = 0, isBroken } of listings) {
    if (hasMore)
      context.log(
        `${kind}: ${seenCount} of ${queueCount} dead letters were read; --read-limit ${queueCount} reads all`,
      );
    if (isBroken)
      context.log(
        `${kind}: dead letter ${seenCount + 1} breaks its reader; those behind it were not read`,
      );
  }
  return listings.some(({ isBroken }) => isBroken) ? EXIT_DIFFERENT : 0;
}

async function listKind(context: CommandContext, kind: KindDeclaration): Promise<KindListing> {
  const filter = filterOption(context);
  const limit = limitOption(context);
  const progress = new ProgressLog(context.log);
  let groups = new DeadLetterGroups();
  let [seenCount, matchingCount, unreadableCount] = [0, 0, 0];
  const broker = deadLetterBroker(context.amqpUrl);
  const { end, behindCount } = await browseDeadLetters({
    broker,
    kind,
    notes: await broker.readNotes(kind.queue, context.log),
    log: context.log,
    readLimit: readLimitOption(context),
    // Groups are made of headers alone.
    needsBody: () => false,
    onStart: () => {
      groups = new DeadLetterGroups();
      [seenCount, matchingCount, unreadableCount] = [0, 0, 0];
    },
    onDeadLetter: (deadLetter) => {
      seenCount += 1;
      progress.update(() => `${kind.kind}: ${seenCount} dead letters read`);
      if (!matchesFilter(deadLetter, filter)) return 'continue';
      matchingCount += 1;
      if (deadLetter.unreadableReason !== undefined) unreadableCount += 1;
      groups.add(deadLetter);
      return matchingCount >= limit ? 'stop' : 'continue';
    },
  });
  return {
    kind: kind.kind,
    seenCount,
    queueCount: behindCount === undefined ? undefined : seenCount + behindCount,
    matchingCount,
    unreadableCount,
    groups: groups.list(),
    hasMore: end === 'limit',
    isBroken: end === 'lost',
  };
}

function listingLines(listing: KindListing): string[] {
  const { kind, seenCount, queueCount, matchingCount, unreadableCount, groups } = listing;
  const unreadable = unreadableCount === 0 ? '' : `, ${unreadableCount} with unreadable headers`;
  const matching =
    seenCount === matchingCount
      ? `${seenCount} dead letter${seenCount === 1 ? '' : 's'}`
      : `${matchingCount} of ${seenCount} dead letters match`;
  const inQueue = queueCount === seenCount ? '' : `; ${queueCount ?? 'unknown'} in the queue`;
  return [`${kind}: ${matching}${unreadable}${inQueue}`, ...groupLines(groups)];
}
