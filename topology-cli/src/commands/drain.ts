/** `topology drain`: deletes old wait queues once they are empty. */

import { formatDuration, parseDurationMs } from '@fit/topology';
import { openTopologyAdmin } from '@fit/topology/amqp';
import { type Command, type Context, textOf, UsageError } from '../command.ts';
import { planFor } from '../live/applyTopology.ts';
import { type DrainProgress, type DrainReport, drainTopology } from '../live/drainTopology.ts';
import { COUNT_INTERVAL_MS } from '../live/emptiness.ts';
import { liveApi, refuseWords } from '../liveApi.ts';

const NOT_WHOLLY = 2;
const DEFAULT_TIMEOUT_MS = 60 * 60_000;

export const drain: Command = {
  name: 'drain',
  summary: 'deletes the wait queues of old tiers once they are empty',
  usage: `topology drain [--timeout 10m]: waits until the messages in wait queues of tiers that are no longer
declared have come back by themselves, then deletes those queues and what only they needed.
A queue counts as empty when nothing is ready, unsettled or held in it, for twelve seconds.

  --timeout D            waits so long at most (default ${formatDuration(DEFAULT_TIMEOUT_MS)}); exit code 2 where queues are left.
                         Ctrl-C stops as cleanly; run it again later.
  --count-interval D     the broker's collect_statistics_interval, where it is longer than 5s: a queue must
                         then look empty for 2.4 times that`,
  options: { timeout: { type: 'string' }, 'count-interval': { type: 'string' } },
  run: async (context) => {
    refuseWords(context);
    const timeoutMs = durationOf(context, 'timeout') ?? DEFAULT_TIMEOUT_MS;
    const countIntervalMs = durationOf(context, 'count-interval') ?? COUNT_INTERVAL_MS;
    const api = liveApi(context, 'drain');
    const hand = await openTopologyAdmin(context.amqpUrl, 'topology drain');
    const interruption = interruptible();
    try {
      const plan = planFor(context.declaration, hand.version);
      const report = await drainTopology({
        hand,
        api,
        plan,
        timeoutMs,
        countIntervalMs,
        signal: interruption.signal,
        onProgress: (progress) => {
          context.say(progressLine(progress));
        },
      });
      tell(context, report);
      return report.end === 'drained' ? 0 : NOT_WHOLLY;
    } finally {
      interruption.end();
      await hand.close();
    }
  },
};

function durationOf(context: Context, name: string): number | undefined {
  const text = textOf(context, name);
  if (text === undefined) return undefined;
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined) return durationMs;
  throw new UsageError(`--${name} '${text}' must be a duration, such as 90s or 10m`);
}

/** A second Ctrl-C ends the process as usual. */
function interruptible(): { readonly signal: AbortSignal; readonly end: () => void } {
  const controller = new AbortController();
  const stop = () => {
    controller.abort();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const end = () => {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  };
  return { signal: controller.signal, end };
}

function progressLine({ queues, longestWaitMs }: DrainProgress): string {
  const counts = queues.map(({ name, messageCount }) => `${name} ${messageCount ?? '?'}`);
  const isFilled = queues.some(({ messageCount }) => messageCount !== 0);
  // A whole second at least: the broker's own clock decides.
  const wait = formatDuration(Math.ceil(longestWaitMs / 1_000) * 1_000);
  const blocked = 'its waits are over, so its way back is blocked: is the main queue full?';
  const rest = longestWaitMs > 0 ? `the last should be back in ${wait}` : blocked;
  return `left: ${counts.join(', ')}; ${isFilled ? rest : 'making sure that they are empty'}`;
}

function tell({ isJson, print }: Context, report: DrainReport): void {
  if (isJson) {
    print(JSON.stringify(report));
    return;
  }
  const { deletedQueues, unboundReturns, remaining, end } = report;
  for (const name of deletedQueues) print(`deleted ${name}`);
  for (const binding of unboundReturns) print(`unbound ${binding}`);
  for (const { name, messageCount } of remaining)
    print(`left ${name}, ${messageCount ?? 'an unknown number of'} messages`);
  print(END_TEXTS[end]);
}

const END_TEXTS: Readonly<Record<DrainReport['end'], string>> = {
  drained: 'no old wait queue is left',
  timeout: 'the timeout has passed; run it again later',
  stopped: 'stopped; run it again later',
};
