/** `topology verify`: probes down every path of scratch virtual hosts. */
import { formatDuration } from '@fit/topology';
import { type Command, type Context, numberOf, textOf, UsageError } from '../command.ts';
import { liveApi, refuseWords } from '../liveApi.ts';
import { type PathReport, type VerifyReport } from '../verify/report.ts';
import { verifyTopology } from '../verify/verifyTopology.ts';

const DIFFERENT = 2;
const DEFAULT_TOLERANCE_MS = 250;

export const verify: Command = {
  name: 'verify',
  summary: 'sends probes down every path, on scratch virtual hosts',
  usage: `topology verify [--real-time]: asserts the declaration on virtual hosts verify-…, sends a message down every
path, and compares what arrives where and when with the plan. Waits and limits are scaled, and it says how.
The virtual hosts are removed in the end, also after an error or Ctrl-C. Exit code 2 where anything differs.

  --real-time            waits as they are declared
  --kind K               this kind's paths only
  --tolerance-ms N       how late a step may be (default ${DEFAULT_TOLERANCE_MS})
  --keep                 leaves the virtual hosts, and names them
  The user of --management-url needs the administrator tag, to make a virtual host.`,
  options: {
    'real-time': { type: 'boolean' },
    kind: { type: 'string' },
    'tolerance-ms': { type: 'string' },
    keep: { type: 'boolean' },
  },
  run: async (context) => {
    refuseWords(context);
    // Says what to give where there is no management API.
    liveApi(context, 'verify');
    const report = await verified(context);
    if (context.isJson) context.print(JSON.stringify(report));
    else for (const line of reportLines(report)) context.print(line);
    return report.isAsPlanned ? 0 : DIFFERENT;
  },
};

async function verified(context: Context): Promise<VerifyReport> {
  const { declaration, amqpUrl, managementUrl = '', values, say } = context;
  const keepsHosts = values['keep'] === true;
  const interruption = new AbortController();
  const stop = () => {
    say('stopping; a second time leaves the virtual hosts behind');
    interruption.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, stop);
  try {
    return await verifyTopology({
      declaration,
      amqpUrl,
      managementUrl,
      keepsHosts,
      kind: kindOf(context),
      isRealTime: values['real-time'] === true,
      toleranceMs:
        numberOf(context, 'tolerance-ms', { min: 0, max: 60_000 }) ?? DEFAULT_TOLERANCE_MS,
      signal: interruption.signal,
      onAsserted: ({ vhost, turn }) => {
        say(`virtual host ${vhost} is ready for the probes of ${turn}`);
      },
      onProgress: ({ doneCount, probeCount, awaited }) => {
        say(`${doneCount}/${probeCount} done; awaited: ${awaited.join(', ') || 'silence'}`);
      },
    });
  } catch (error) {
    if (!interruption.signal.aborted || !isAbort(error)) throw error;
    throw new Error(keepsHosts ? 'interrupted' : 'interrupted; the virtual hosts are removed');
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

function kindOf(context: Context): string | undefined {
  const name = textOf(context, 'kind');
  const known = context.declaration.kinds.map(({ kind }) => kind);
  if (name === undefined || known.includes(name)) return name;
  throw new UsageError(`--kind '${name}' is none of ${known.join(', ')}`);
}

function reportLines(report: VerifyReport): string[] {
  const { version, scaling, paths, leftovers, keptHosts, isAsPlanned } = report;
  const kindCount = new Set(paths.map(({ kind }) => kind)).size;
  const rows = paths.map((path) => cellsOf(path, kindCount > 1));
  const differing = paths.filter(({ verdict }) => verdict === 'different').length;
  return [
    ...scaling.map((line) => `scaled for the test: ${line}`),
    ...table([['path', 'expected (#: attempt)', 'seen', 'late by', 'verdict'], ...rows], paths),
    ...leftovers.map(
      ({ queue, messageCount, turn }) => `left in ${queue}: ${messageCount} messages (${turn})`,
    ),
    ...keptHosts.map((vhost) => `kept virtual host ${vhost}`),
    isAsPlanned
      ? `RabbitMQ ${version}: all ${paths.length} paths as planned`
      : `RabbitMQ ${version}: ${differing} of ${paths.length} paths different${leftovers.length > 0 ? ', and messages left' : ''}`,
  ];
}

function cellsOf(report: PathReport, hasKind: boolean): string[] {
  const { kind, path, texts, expectedMs, seenMs, lateByMs, verdict } = report;
  // Twice the same long text says less than the one word.
  const seen = texts.seen === texts.expected ? 'the same' : texts.seen;
  const round = (durationMs: number) => `${Math.round(durationMs)}ms`;
  return [
    hasKind ? `${kind}: ${path}` : path,
    `${texts.expected}${expectedMs === 0 ? '' : ` in ${formatDuration(expectedMs)}`}`,
    `${seen}${seenMs === 0 ? '' : ` in ${round(seenMs)}`}`,
    round(lateByMs),
    verdict,
  ];
}

/** Under each row its differences. */
function table(rows: readonly (readonly string[])[], paths: readonly PathReport[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.flatMap((row, index) => [
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
    ...(paths[index - 1]?.differences ?? []).map((difference) => `    ${difference}`),
  ]);
}
