/** A run of a million members on a monitored system, between runs of ten thousand before and after it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFitTopology } from '@fit/contract';
import { nativeTargets, writeMonitoringConfig } from '@fit/prometheus';
import { freePorts, type Stack, sampleUsers } from '@fit/stack';
import { eventually, PrometheusApi } from '@fit/stack/testing';
import type { Db } from 'mongodb';
import { type SystemUnderTest, startSystemUnderTest, withServers } from '../benchEnvironment.ts';
import { clientOf, countWods, createUsers, dayNumber, type FitRun, runWods } from '../fitRun.ts';
import { RunWatch, type WatchFigures } from '../runWatch.ts';
import { quantile, round } from '../statistics.ts';
import {
  type Comparison,
  exactly,
  type Measurement,
  measuredBelow,
  ratioAtLeast,
  ratioAtMost,
  type Workload,
} from '../workload.ts';

const VHOST = 'million';
const SMALL_COUNT = 10_000;
/** Runs of `SMALL_COUNT` before and after the large one, besides one that warms up. */
const SMALL_RUNS = 3;
const BYTES_PER_MIB = 1_024 * 1_024;
/** Prometheus's first evaluation of every rule. */
const MONITORING_READY_MS = 120_000;
const MONITORING_POLL_MS = 1_000;

/** The parts whose memory must not grow with the run; servers have caches, whose size they are told. */
const OWN_PROCESSES = ['monolith', 'coach'];

interface CollectionSize {
  readonly documents: number;
  readonly dataMiB: number;
  readonly indexMiB: number;
}

interface Figures {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly large: FitRun;
  readonly storedCount: number;
  readonly createUsersMs: number;
  readonly smallWatch: WatchFigures;
  readonly largeWatch: WatchFigures;
  readonly sizes: Readonly<Record<string, CollectionSize>>;
  readonly totalMinutes: number;
}

export const million: Workload<'users'> = {
  name: 'million',
  description: `a run of a million members with alerts evaluated, the status asked for every second and memory watched, and runs of
  ${SMALL_COUNT} before and after it; about 20 minutes`,
  options: {
    users: { description: 'members', default: 1_000_000, minimum: SMALL_COUNT },
  },
  measure: async ({ users }, report) => {
    const startedAt = performance.now();
    const ports = await freePorts();
    const folder = await mkdtemp(join(tmpdir(), 'fit-million-'));
    try {
      await writeMonitoringConfig(folder, {
        declaration: readFitTopology({}),
        targets: nativeTargets(ports),
        vhost: VHOST,
      });
      return await withServers(
        ['rabbitmq', 'gateway', 'prometheus', 'alertmanager'],
        async (stack) => {
          const tested = await startSystemUnderTest(stack, {
            name: VHOST,
            ports,
            env: {
              PROMETHEUS_URL: stack.prometheusUrl ?? '',
              ALERTMANAGER_URL: stack.alertmanagerUrl ?? '',
            },
          });
          try {
            const figures = await measureAll(stack, tested, { userCount: users, report });
            const totalMinutes = round((performance.now() - startedAt) / 60_000);
            return toMeasurement({ ...figures, totalMinutes }, users);
          } finally {
            await tested.stop();
          }
        },
        { ports, prometheusConfigFolder: folder },
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

interface MeasureOptions {
  readonly userCount: number;
  readonly report: (line: string) => void;
}

async function measureAll(
  stack: Stack,
  tested: SystemUnderTest,
  { userCount, report }: MeasureOptions,
): Promise<Omit<Figures, 'totalMinutes'>> {
  const members = sampleUsers(userCount);
  const userIds = members.slice(0, SMALL_COUNT).map(({ id }) => id);
  let day = 0;
  const runSmall = async () => {
    day += 1;
    return await runWods(tested, { date: dayNumber(day), expectedCount: SMALL_COUNT, userIds });
  };
  const runSmalls = async () => {
    const speeds: number[] = [];
    for (let count = 0; count < SMALL_RUNS; count += 1)
      speeds.push((await runSmall()).jobsPerSecond);
    report(`${SMALL_RUNS} runs of ${SMALL_COUNT}: ${speeds.join(', ')} jobs/s`);
    return speeds;
  };
  await createUsers(clientOf(tested), members.slice(0, SMALL_COUNT));
  await runWods(tested, { date: dayNumber(0), expectedCount: SMALL_COUNT });
  await awaitMonitoring(stack);
  const smallWatch = new RunWatch(watchOptions(stack, tested));
  const before = await runSmalls();
  const smallFigures = await smallWatch.stop();

  report(`creating ${userCount} users …`);
  const createdAt = performance.now();
  await createUsers(clientOf(tested), members.slice(SMALL_COUNT));
  const createUsersMs = Math.round(performance.now() - createdAt);
  report(`created in ${createUsersMs} ms; the large run …`);
  day += 1;
  const date = dayNumber(day);
  const largeWatch = new RunWatch(watchOptions(stack, tested));
  const large = await runWods(tested, { date, expectedCount: userCount });
  const largeFigures = await largeWatch.stop();
  report(`${JSON.stringify(large)} ${describeAlerts(largeFigures)}`);
  const after = await runSmalls();
  const storedCount = await countWods(tested.database, date);
  return {
    before,
    after,
    large,
    storedCount,
    createUsersMs,
    smallWatch: smallFigures,
    largeWatch: largeFigures,
    sizes: await readSizes(tested.database),
  };
}

function watchOptions(stack: Stack, tested: SystemUnderTest) {
  const pidOf = (name: string) => stack.servers.find((server) => server.name === name)?.pid ?? 0;
  return {
    prometheusUrl: stack.prometheusUrl ?? '',
    client: clientOf(tested),
    processes: {
      monolith: tested.monolithPids[0] ?? 0,
      coach: tested.coachPids[0] ?? 0,
      'gateway (FerretDB)': pidOf('gateway'),
      RabbitMQ: pidOf('rabbitmq'),
    },
    trees: { 'PostgreSQL, private memory of all processes': pidOf('postgresql') },
  };
}

/** Alerts that are pending only because the system has just started must have gone before they are watched. */
async function awaitMonitoring({ prometheusUrl = '' }: Stack): Promise<void> {
  const prometheus = new PrometheusApi(prometheusUrl);
  const namesOfOthers = async () => {
    const alerts = await prometheus.alerts();
    const names = alerts.map(({ labels }) => labels['alertname'] ?? '');
    return names.includes('Watchdog')
      ? names.filter((name) => name !== 'Watchdog')
      : ['the watchdog is missing'];
  };
  await eventually(async () => (await namesOfOthers()).length === 0, {
    deadlineMs: MONITORING_READY_MS,
    intervalMs: MONITORING_POLL_MS,
    describe: async () => `active before the run: ${(await namesOfOthers()).join(', ')}`,
  });
}

async function readSizes(database: Db): Promise<Record<string, CollectionSize>> {
  const collections = await database.listCollections({}, { nameOnly: true }).toArray();
  const sizes: [string, CollectionSize][] = [];
  for (const { name } of collections) {
    const stats = await database.command({ collStats: name });
    const mibOf = (field: string) => round(Number(stats[field] ?? 0) / BYTES_PER_MIB);
    sizes.push([
      name,
      {
        documents: Number(stats['count'] ?? 0),
        dataMiB: mibOf('storageSize'),
        indexMiB: mibOf('totalIndexSize'),
      },
    ]);
  }
  return Object.fromEntries(sizes);
}

function describeAlerts({ firing, pending }: WatchFigures): string {
  return `firing: ${JSON.stringify(firing)}, pending: ${JSON.stringify(pending)}`;
}

function toMeasurement(figures: Figures, userCount: number): Measurement {
  const { before, after, large, smallWatch, largeWatch, sizes } = figures;
  const firingCount = [Object.keys(largeWatch.firing).length];
  const failedCount = [largeWatch.failedStatusCount];
  const memory = Object.keys(largeWatch.peakBytes).map((name): Comparison => {
    const peak = ({ peakBytes }: WatchFigures) => [
      Math.round((peakBytes[name] ?? NaN) / BYTES_PER_MIB),
    ];
    return {
      name: `${name}, largest memory`,
      unit: 'MiB',
      measured: peak(largeWatch),
      baseline: peak(smallWatch),
      ...(OWN_PROCESSES.includes(name) ? { bound: ratioAtMost(1.3) } : {}),
    };
  });
  const disk = Object.entries(sizes).flatMap(([name, { documents, dataMiB, indexMiB }]) => [
    { name: `${name}: ${documents} documents`, unit: 'MiB', measured: [dataMiB] },
    { name: `${name}: indexes`, unit: 'MiB', measured: [indexMiB] },
  ]);
  return {
    baselineName: `runs of ${SMALL_COUNT} before`,
    comparisons: [
      {
        name: 'workouts of the large run',
        unit: 'workouts',
        measured: [figures.storedCount],
        bound: exactly(userCount, [figures.storedCount]),
      },
      {
        name: 'alerts that fired',
        unit: 'alerts',
        measured: firingCount,
        bound: exactly(0, firingCount),
      },
      {
        name: 'GET /status every second, slowest',
        unit: 'ms',
        measured: [round(quantile(largeWatch.statusMs, 1))],
        bound: measuredBelow(200, 'ms'),
      },
      {
        name: 'the same, p99',
        unit: 'ms',
        measured: [round(quantile(largeWatch.statusMs, 0.99))],
      },
      {
        name: 'the same, without an answer',
        unit: 'requests',
        measured: failedCount,
        bound: exactly(0, failedCount),
      },
      ...memory,
      {
        name: `runs of ${SMALL_COUNT} beside the records of the large one`,
        unit: 'jobs/s',
        measured: after,
        baseline: before,
        bound: ratioAtLeast(0.8, 0.9),
      },
      {
        name: 'the large run itself',
        unit: 'jobs/s',
        measured: before.map(() => large.jobsPerSecond),
        baseline: before,
      },
      { name: '202 of the large run', unit: 'ms', measured: large.acceptMs.map(round) },
      ...disk,
      {
        name: 'the whole command',
        unit: 'minutes',
        measured: [figures.totalMinutes],
        bound: measuredBelow(20, 'minutes'),
      },
    ],
    rounds: [figures],
    notes: [
      `Users are created through the API, 500 in a request, in ${figures.createUsersMs} ms.`,
      `Alerts of the large run: ${describeAlerts(largeWatch)} (readings, one every two seconds; the rules have their production windows).`,
      'No workout can be doubled without raising their number: user and date are the primary key.',
      'A run of 10,000 is ten requests of 1,000 named users, before as after: a run for everyone would be another million.',
      'Memory is the largest resident set in readings of once a second; servers have no bound, since their caches grow up to a size that they are told.',
    ],
  };
}
