/** `dlq replay`. */
import { randomUUID } from 'node:crypto';
import type { Context } from '../../command.ts';
import { deskBroker } from '../../dead-letters/deskBroker.ts';
import { type FollowReport, followReplay } from '../../dead-letters/followReplay.ts';
import { replayLetters } from '../../dead-letters/replayLetters.ts';
import {
  countOf,
  type ReplayEnd,
  type ReplayOptions,
  type ReplayReport,
} from '../../dead-letters/replayOptions.ts';
import {
  countOption,
  filterOf,
  holdLimitOf,
  kindsOf,
  limitOf,
  oneOf,
  rateOf,
  refuseWords,
} from './options.ts';
import { groupLines } from './print.ts';

const DEFAULT_REFAILURE_LIMIT = 50;

const END_TEXT: Readonly<Record<ReplayEnd, string>> = {
  done: '',
  limit: 'the limit is reached',
  refailures: 'stopped: too many came back dead (--max-refailures)',
  full: 'stopped: the queue stayed full; run it again later',
  unroutable: 'stopped: nothing is bound to the public key; apply the topology first',
  broken: 'stopped: the connection was lost again and again at the same place',
  blocked: 'stopped: the letters looked at do not match, and others lie behind them (--look)',
};

export async function runReplay(context: Context): Promise<number> {
  refuseWords(context);
  const base = optionsOf(context);
  const limit = limitOf(context);
  const reports: ReplayReport[] = [];
  const follows: FollowReport[] = [];
  for (const kind of kindsOf(context)) {
    const count = reports.reduce((sum, { replayedCount }) => sum + replayedCount, 0);
    if (count >= limit) break;
    const options = { ...base, kind, limit: limit - count };
    const report = await replayLetters(options);
    reports.push(report);
    if (context.values['wait'] === true && !base.isDryRun && report.replayedCount > 0)
      follows.push(await followReplay(options, report.replayedCount));
  }
  const { replayId } = base.run;
  if (context.isJson)
    context.print(JSON.stringify({ replayId, dryRun: base.isDryRun, kinds: reports, follows }));
  else tell(context, { base, reports, follows });
  return exitCode(reports, follows);
}

/** Pure: 0 where every letter that was meant is on its way, or gone. */
export function exitCode(
  reports: readonly ReplayReport[],
  follows: readonly FollowReport[],
): number {
  const isClean = reports.every(
    ({ end, leftCount, cameBack }) =>
      (end === 'done' || end === 'limit') && leftCount === 0 && cameBack.length === 0,
  );
  const isGone = follows.every(({ end, cameBack }) => end === 'settled' && cameBack.length === 0);
  return isClean && isGone ? 0 : 2;
}

function optionsOf(context: Context): Omit<ReplayOptions, 'kind' | 'limit'> {
  const order = oneOf(context, 'order', ['oldest', 'newest']);
  return {
    broker: deskBroker(context.amqpUrl),
    declaration: context.declaration,
    filter: filterOf(context),
    ratePerSecond: rateOf(context),
    order: order ?? 'oldest',
    run: { replayId: randomUUID(), startedAt: new Date() },
    refailureLimit: countOption(context, 'max-refailures', DEFAULT_REFAILURE_LIMIT),
    holdLimit: holdLimitOf(context),
    isDryRun: context.values['dry-run'] === true,
    say: context.say,
  };
}

interface Telling {
  readonly base: Omit<ReplayOptions, 'kind' | 'limit'>;
  readonly reports: readonly ReplayReport[];
  readonly follows: readonly FollowReport[];
}

function tell({ print }: Context, { base, reports, follows }: Telling): void {
  if (!base.isDryRun) print(`replay-id ${base.run.replayId}`);
  for (const report of reports) {
    const { kind, replayedCount, otherCount, leftCount, end } = report;
    print(
      `${kind}: ${replayedCount} letters ${base.isDryRun ? 'would be replayed' : 'replayed'}, ${otherCount} left out, ${leftCount} could not be sent`,
    );
    for (const line of groupLines(report.groups)) print(line);
    for (const problem of report.problems) print(`  ${problem}`);
    if (END_TEXT[end] !== '') print(`${kind}: ${END_TEXT[end]}`);
    tellBack(print, kind, report.cameBack);
  }
  for (const follow of follows) tellFollow(print, follow);
}

function tellFollow(print: Context['print'], { kind, end, cameBack }: FollowReport): void {
  if (end === 'underWay') print(`${kind}: some are still under way; look again with ls`);
  if (end === 'unseen') print(`${kind}: what came back could not be watched; look with ls`);
  if (end === 'settled' && cameBack.length === 0) print(`${kind}: none came back`);
  tellBack(print, kind, cameBack);
}

function tellBack(print: Context['print'], kind: string, groups: ReplayReport['cameBack']): void {
  if (groups.length === 0) return;
  print(`${kind}: ${countOf(groups)} came back dead`);
  for (const line of groupLines(groups)) print(line);
}
