/** `npm run bench -- [workload] [options]`: measures one workload and prints its report. */
import { parseArgs } from 'node:util';
import { isOptionError } from '@fit/stack';
import { createReport, describeMachine, isWithinBounds, renderReport } from './benchReport.ts';
import type { Workload } from './workload.ts';
import { accept } from './workloads/acceptWorkload.ts';
import { connectionLoss } from './workloads/connectionLossWorkload.ts';
import { cost } from './workloads/costWorkload.ts';
import { jobList } from './workloads/jobListWorkload.ts';
import { jobs } from './workloads/jobsWorkload.ts';
import { million } from './workloads/millionWorkload.ts';
import { observability } from './workloads/observabilityWorkload.ts';
import { peers } from './workloads/peersWorkload.ts';
import { scale } from './workloads/scaleWorkload.ts';
import { single } from './workloads/singleWorkload.ts';
import { topology } from './workloads/topologyWorkload.ts';
import { urgent } from './workloads/urgentWorkload.ts';

const WORKLOADS: readonly Workload[] = [
  jobs,
  peers,
  cost,
  single,
  urgent,
  accept,
  scale,
  million,
  jobList,
  topology,
  observability,
  connectionLoss,
];

const USAGE = `npm run bench -- [workload] [options] [--json] [--help]

${WORKLOADS.map(describeWorkload).join('\n\n')}

  --json  print the report as JSON, with the figures of every round, instead of a table

The default workload is jobs. Each starts servers of its own and stops them. Progress goes to standard error.
Exit code 0: every bound holds; 1: a bound is broken, or the measurement failed; 2: wrong word or option.`;

/** The command line is wrong; the message names the fault. */
class UsageError extends Error {}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  if (!(error instanceof UsageError || isOptionError(error))) throw error;
  process.stderr.write(`${error.message}\nnpm run bench -- --help lists workloads and options.\n`);
  return 2;
});

async function main(args: readonly string[]): Promise<number> {
  const [word] = args;
  const hasWorkload = word !== undefined && !word.startsWith('-');
  const workload: Workload | undefined = hasWorkload
    ? WORKLOADS.find(({ name }) => name === word)
    : jobs;
  if (workload === undefined)
    throw new UsageError(
      `there is no workload '${word}'; use ${WORKLOADS.map(({ name }) => name).join(', ')}`,
    );
  const { values } = parseArgs({
    args: args.slice(hasWorkload ? 1 : 0),
    options: {
      ...Object.fromEntries(
        Object.keys(workload.options).map((name) => [name, { type: 'string' as const }]),
      ),
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const settings = readSettings(workload, values);
  const machine = describeMachine();
  const measurement = await workload.measure(settings, (line) => {
    process.stderr.write(`${line}\n`);
  });
  const report = createReport(measurement, { workload: workload.name, machine, settings });
  process.stdout.write(`${values.json ? JSON.stringify(report) : renderReport(report)}\n`);
  return isWithinBounds(report) ? 0 : 1;
}

/** @throws UsageError if a value is not a whole number of at least the option's minimum. */
function readSettings(
  { options }: Workload,
  values: Readonly<Record<string, string | boolean | undefined>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => {
      const text = values[name];
      if (text === undefined) return [name, option.default];
      const minimum = option.minimum ?? 1;
      const value = Number(text);
      if (!Number.isSafeInteger(value) || value < minimum)
        throw new UsageError(`--${name} '${text}' must be a whole number of at least ${minimum}`);
      return [name, value];
    }),
  );
}

function describeWorkload({ name, description, options }: Workload): string {
  const lines = Object.entries(options).map(
    ([option, { description: text, default: value }]) =>
      `  ${`--${option} N`.padEnd(14)}${text}; default ${value}`,
  );
  return [`${name}: ${description}`, ...lines].join('\n');
}
