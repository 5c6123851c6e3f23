/** `topology dlq replay`: republishes dead letters. */
import { randomUUID } from 'node:crypto';
import {
  type CommandContext,
  choiceOption,
  EXIT_DIFFERENT,
  refusePositionals,
} from '../../command.ts';
import { deadLetterBroker } from '../../dead-letters/browseDeadLetters.ts';
import { type DeadLetterGroup, totalCount } from '../../dead-letters/deadLetterGroups.ts';
import {
  type ReplayEnd,
  type ReplayOptions,
  type ReplayReport,
  replayDeadLetters,
} from '../../dead-letters/replayDeadLetters.ts';
import { awaitReplayOutcome, type ReplayOutcome } from '../../dead-letters/watchRefailures.ts';
import {
  chosenKinds,
  countOption,
  filterOption,
  limitOption,
  rateOption,
  readLimitOption,
} from './dlqOptions.ts';
import { groupLines } from './terminalText.ts';

const DEFAULT_REFAILURE_LIMIT = 50;

const END_TEXTS: Readonly<Record<ReplayEnd, string>> = {
  done: '',
  limit: 'the limit is reached',
  refailures: 'stopped: too many replayed messages died again (--max-refailures)',
  full: 'stopped: the queue stayed full; run it again later',
  unroutable: 'stopped: no queue is bound to the public key; run topology apply first',
  broken: 'stopped: the connection was lost again and again at the same message',
  blocked:
    'stopped: the dead letters that were read do not match, and others lie behind them (--read-limit)',
};

export async function replayCommand(context: CommandContext): Promise<number> {
  refusePositionals(context);
  const limit = limitOption(context);
  const run = { replayId: randomUUID(), startedAt: new Date() };
  const isDryRun = context.options['dry-run'] === true;
  const baseOptions: Omit<ReplayOptions, 'kind' | 'limit'> = {
    broker: deadLetterBroker(context.amqpUrl),
    declaration: context.declaration,
    filter: filterOption(context),
    ratePerSecond: rateOption(context),
    order: choiceOption(context, 'order', ['oldest', 'newest']) ?? 'oldest',
    run,
    refailureLimit: countOption(context, 'max-refailures', DEFAULT_REFAILURE_LIMIT),
    readLimit: readLimitOption(context),
    isDryRun,
    log: context.log,
  };
  const reports: ReplayReport[] = [];
  const outcomes: ReplayOutcome[] = [];
  for (const kind of chosenKinds(context)) {
    const replayedCount = reports.reduce((sum, report) => sum + report.replayedCount, 0);
    if (replayedCount >= limit) break;
    const options = { ...baseOptions, kind, limit: limit - replayedCount };
    const report = await replayDeadLetters(options);
    reports.push(report);
    if (context.options['wait'] === true && !isDryRun && report.replayedCount > 0)
      outcomes.push(await awaitReplayOutcome(options, report.replayedCount));
  }
  if (context.isJson)
    context.print(JSON.stringify({ replayId: run.replayId, isDryRun, kinds: reports, outcomes }));
  else {
    if (!isDryRun) context.print(`replay-id ${run.replayId}`);
    for (const line of reports.flatMap((report) => reportLines(report, isDryRun)))
      context.print(line);
    for (const line of outcomes.flatMap(outcomeLines)) context.print(line);
  }
  return isComplete(reports, outcomes) ? 0 : EXIT_DIFFERENT;
}

/** @returns true if every matching message was replayed and none is known to have been dead-lettered again. */
function isComplete(reports: readonly ReplayReport[], outcomes: readonly ReplayOutcome[]): boolean {
  return (
    reports.every(
      ({ end, failedCount, refailed }) =>
        (end === 'done' || end === 'limit') && failedCount === 0 && refailed.length === 0,
    ) && outcomes.every(({ end, refailed }) => end === 'idle' && refailed.length === 0)
  );
}

function reportLines(report: ReplayReport, isDryRun: boolean): string[] {
  const { kind, replayedCount, otherCount, failedCount, end } = report;
  const verb = isDryRun ? 'would be replayed' : 'replayed';
  return [
    `${kind}: ${replayedCount} dead letter${replayedCount === 1 ? '' : 's'} ${verb}, ${otherCount} do not match, ${failedCount} could not be replayed`,
    ...groupLines(report.groups),
    ...report.problems.map((problem) => `  ${problem}`),
    ...(END_TEXTS[end] === '' ? [] : [`${kind}: ${END_TEXTS[end]}`]),
    ...refailedLines(kind, report.refailed),
  ];
}

function outcomeLines({ kind, end, refailed }: ReplayOutcome): string[] {
  const lines = refailedLines(kind, refailed);
  if (end === 'in flight')
    return [`${kind}: some are still in flight; look again with ls`, ...lines];
  if (end === 'unseen')
    return [`${kind}: which ones died again could not be observed; look with ls`, ...lines];
  return lines.length === 0 ? [`${kind}: none died again`] : lines;
}

function refailedLines(kind: string, groups: readonly DeadLetterGroup[]): string[] {
  if (groups.length === 0) return [];
  return [`${kind}: ${totalCount(groups)} died again`, ...groupLines(groups)];
}
