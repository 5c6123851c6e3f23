/** `topology drain`: deletes wait queues of former tiers once they are empty. */
import { formatDuration } from '@fit/topology';
import { openTopologyAdmin } from '@fit/topology/amqp';
import { planFor } from '../apply/applyTopology.ts';
import {
  DEFAULT_COUNT_INTERVAL_MS,
  type DrainProgress,
  type DrainReport,
  drainTopology,
} from '../apply/drainTopology.ts';
import {
  type Command,
  durationOptionMs,
  EXIT_DIFFERENT,
  refusePositionals,
  requireManagementApi,
} from '../command.ts';

const DEFAULT_TIMEOUT_MS = 60 * 60_000;

const END_TEXTS: Readonly<Record<DrainReport['end'], string>> = {
  drained: 'no former queue is left',
  timeout: 'the timeout has passed; run it again later',
  stopped: 'stopped; run it again later',
};

export const drain: Command = {
  name: 'drain',
  summary: 'deletes the queues of former tiers and delays once they are empty',
  usage: `topology drain [--timeout 10m]: waits until the messages in wait queues of tiers, and in queues of delays, that are no longer
declared have left by themselves, then deletes those queues and the bindings and exchanges that only they needed.
A queue counts as empty when no message is ready, unacknowledged or awaiting transfer in it for twelve seconds.

  --timeout D            waits so long at most (default ${formatDuration(DEFAULT_TIMEOUT_MS)}). Ctrl-C stops as cleanly; run it again later.
  --count-interval D     the broker's collect_statistics_interval, where it is longer than 5s: a queue must then be
                         empty for 2.4 times that long

  Exit code 2: former queues are left.`,
  options: { timeout: { type: 'string' }, 'count-interval': { type: 'string' } },
  run: async (context) => {
    refusePositionals(context);
    const timeoutMs = durationOptionMs(context, 'timeout') ?? DEFAULT_TIMEOUT_MS;
    const countIntervalMs =
      durationOptionMs(context, 'count-interval') ?? DEFAULT_COUNT_INTERVAL_MS;
    const api = requireManagementApi(context, 'drain');
    const admin = await openTopologyAdmin(context.amqpUrl, 'topology drain');
    const interruption = new AbortController();
    // `once`: a second signal ends the process at once.
    const stop = () => {
      interruption.abort();
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    try {
      const report = await drainTopology({
        admin,
        api,
        plan: planFor(context.declaration, admin.version),
        timeoutMs,
        countIntervalMs,
        signal: interruption.signal,
        onProgress: (progress) => {
          context.log(progressLine(progress));
        },
      });
      if (context.isJson) context.print(JSON.stringify(report));
      else for (const line of reportLines(report)) context.print(line);
      return report.end === 'drained' ? 0 : EXIT_DIFFERENT;
    } finally {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      await admin.close();
    }
  },
};

function progressLine({ queues, longestWaitMs }: DrainProgress): string {
  const counts = queues.map(({ name, messageCount }) => `${name} ${messageCount ?? '?'}`);
  return `left: ${counts.join(', ')}; ${outlook()}`;

  function outlook(): string {
    if (queues.every(({ messageCount }) => messageCount === 0))
      return 'making sure that they are empty';
    if (longestWaitMs === 0)
      return 'their waits are over, so messages cannot return: is the main queue full?';
    // Whole seconds: the broker's own clock decides.
    return `the last message should return in ${formatDuration(Math.ceil(longestWaitMs / 1_000) * 1_000)}`;
  }
}

function reportLines(report: DrainReport): string[] {
  const { deletedQueues, deletedExchanges, unboundReturns, remaining, end } = report;
  return [
    ...deletedQueues.map((name) => `deleted ${name}`),
    ...deletedExchanges.map((name) => `deleted exchange ${name}`),
    ...unboundReturns.map((binding) => `unbound ${binding}`),
    ...remaining.map(
      ({ name, messageCount }) =>
        `left ${name}, ${messageCount ?? 'an unknown number of'} messages`,
    ),
    END_TEXTS[end],
  ];
}
