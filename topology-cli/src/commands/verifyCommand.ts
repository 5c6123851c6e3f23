/** `topology verify`: publishes probes along every path, on scratch virtual hosts. */
import { formatDuration } from '@fit/topology';
import {
  alignedRows,
  type Command,
  type CommandContext,
  EXIT_DIFFERENT,
  kindOption,
  numberOption,
  refusePositionals,
  requireManagementApi,
} from '../command.ts';
import {
  DEFAULT_TOLERANCE_MS,
  type PathReport,
  type VerifyReport,
  verifyTopology,
} from '../verify/verifyTopology.ts';

const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export const verify: Command = {
  name: 'verify',
  summary: 'publishes probes along every path, on scratch virtual hosts',
  usage: `topology verify [--real-time]: asserts the declaration on virtual hosts verify-…, publishes a message along every
path, and compares what arrives where and when with the plan. Waits and limits are scaled; the report says how.
The virtual hosts are deleted at the end, also after an error or Ctrl-C.

  --real-time            uses the waits as they are declared
  --kind K               probes only the paths of this kind
  --tolerance-ms N       milliseconds that a step may be late (default ${DEFAULT_TOLERANCE_MS})
  --keep                 does not delete the virtual hosts, and names them
  The user of --management-url needs the administrator tag, to create a virtual host.

  Exit code 2: a path is not as planned.`,
  options: {
    'real-time': { type: 'boolean' },
    kind: { type: 'string' },
    'tolerance-ms': { type: 'string' },
    keep: { type: 'boolean' },
  },
  run: async (context) => {
    refusePositionals(context);
    // The message says which option to give if there is no management API.
    requireManagementApi(context, 'verify');
    const report = await verifyUntilInterrupted(context);
    if (context.isJson) context.print(JSON.stringify(report));
    else for (const line of reportLines(report)) context.print(line);
    return report.isAsPlanned ? 0 : EXIT_DIFFERENT;
  },
};

async function verifyUntilInterrupted(context: CommandContext): Promise<VerifyReport> {
  const { declaration, amqpUrl, managementUrl = '', options, log } = context;
  const keepsVhosts = options['keep'] === true;
  const interruption = new AbortController();
  const stop = () => {
    log('stopping; a second signal leaves the virtual hosts behind');
    interruption.abort();
  };
  for (const signal of INTERRUPTS) process.once(signal, stop);
  try {
    return await verifyTopology({
      declaration,
      amqpUrl,
      managementUrl,
      keepsVhosts,
      kind: kindOption(context),
      isRealTime: options['real-time'] === true,
      toleranceMs:
        numberOption(context, 'tolerance-ms', { min: 0, max: 60_000 }) ?? DEFAULT_TOLERANCE_MS,
      signal: interruption.signal,
      onAsserted: ({ vhost, scenario }) => {
        log(`virtual host ${vhost} is ready for the probes of scenario ${scenario}`);
      },
      onProgress: ({ finishedCount, probeCount, awaitedPaths }) => {
        log(
          `${finishedCount}/${probeCount} finished; awaited: ${awaitedPaths.join(', ') || 'idle queues'}`,
        );
      },
    });
  } catch (error) {
    const isInterrupted =
      interruption.signal.aborted && error instanceof Error && error.name === 'AbortError';
    if (!isInterrupted) throw error;
    throw new Error(keepsVhosts ? 'interrupted' : 'interrupted; the virtual hosts are deleted');
  } finally {
    for (const signal of INTERRUPTS) process.off(signal, stop);
  }
}

function reportLines(report: VerifyReport): string[] {
  const { version, scaling, paths, leftMessages, keptVhosts, isAsPlanned } = report;
  const hasSeveralKinds = new Set(paths.map(({ kind }) => kind)).size > 1;
  const [head = '', ...rows] = alignedRows([
    ['path', 'expected (#: attempt)', 'observed', 'late by', 'verdict'],
    ...paths.map((path) => pathCells(path, hasSeveralKinds)),
  ]);
  const differentCount = paths.filter((path) => !path.isAsPlanned).length;
  return [
    ...scaling.map((line) => `scaled for the test: ${line}`),
    head,
    ...rows.flatMap((row, index) => [
      row,
      ...(paths[index]?.differences ?? []).map((difference) => `    ${difference}`),
    ]),
    ...leftMessages.map(
      ({ queue, messageCount, scenario }) =>
        `left in ${queue}: ${messageCount} messages (${scenario})`,
    ),
    ...keptVhosts.map((vhost) => `kept virtual host ${vhost}`),
    isAsPlanned
      ? `RabbitMQ ${version}: all ${paths.length} paths as planned`
      : `RabbitMQ ${version}: ${differentCount} of ${paths.length} paths different${leftMessages.length > 0 ? ', and messages left' : ''}`,
  ];
}

function pathCells(report: PathReport, hasSeveralKinds: boolean): string[] {
  const { kind, path, texts, expectedMs, observedMs, lateByMs, isAsPlanned } = report;
  const milliseconds = (durationMs: number) => `${Math.round(durationMs)}ms`;
  // An equal text is not repeated, because paths are long.
  const observed = texts.observed === texts.expected ? 'the same' : texts.observed;
  return [
    hasSeveralKinds ? `${kind}: ${path}` : path,
    `${texts.expected}${expectedMs === 0 ? '' : ` in ${formatDuration(expectedMs)}`}`,
    `${observed}${observedMs === 0 ? '' : ` in ${milliseconds(observedMs)}`}`,
    milliseconds(lateByMs),
    isAsPlanned ? 'as planned' : 'different',
  ];
}
