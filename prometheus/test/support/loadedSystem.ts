/** The whole of FIT on servers of its own, monitored by Prometheus and Alertmanager, with jobs that partly fail. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FitClient } from '@fit/client';
import { fitTopology } from '@fit/contract';
import {
  type Child,
  cronSecretFile,
  freePorts,
  type Stack,
  type StackPorts,
  type System,
  sampleUsers,
  startChild,
  startStack,
  startSystem,
} from '@fit/stack';
import { eventually, PrometheusApi } from '@fit/stack/testing';
import { nativeTargets, writeMonitoringConfig } from '../../src/index.ts';
import { REPOSITORY } from './composeFile.ts';

export interface LoadedSystem {
  readonly prometheus: PrometheusApi;
  /** Unix time in seconds: nothing was counted before. */
  readonly startedAt: number;
  /** Sends requests to the monolith as an administrator. */
  readonly client: FitClient;
  /** @returns where the native stack's documented port is here, as `host:port`. @throws Error for any other port. */
  addressOf(documentedPort: number): string;
  /** @throws StackError with the command's output. */
  rabbitmqctl(args: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Short, so that some jobs use up their attempts within the test. */
const TIERS = ['1s', '2s', '3s'] as const;
/** More than a coach takes at once, so that the queue fills; fewer than the relay publishes before it knows the coach's speed. */
const JOB_COUNT = 500;
const DAYS = ['2026-01-05', '2026-01-06'] as const;

/** Half of the attempts fail, so one job in sixteen dies; slow enough that the queue fills and the coach is busy. */
const COACH = { COACH_FAILURE_RATE: '0.5', COACH_WORK_MS: '200', COACH_PREFETCH: '50' };

export async function startLoadedSystem(): Promise<LoadedSystem> {
  const startedAt = Math.floor(Date.now() / 1_000);
  const folder = await mkdtemp(join(tmpdir(), 'fit-panels-'));
  const started: { stack?: Stack; system?: System; cron?: Child } = {};
  const stop = async () => {
    await started.cron?.stop();
    await started.system?.stop();
    await started.stack?.stop({ purge: true });
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const ports = await freePorts();
    const declaration = fitTopology({ profile: 'default', tiers: TIERS });
    const monitoring = join(folder, 'monitoring');
    const cron = { addresses: [`127.0.0.1:${ports.cronMetrics}`] };
    await writeMonitoringConfig(monitoring, {
      declaration,
      targets: { ...nativeTargets(ports), cron },
    });
    started.stack = await startStack({
      name: `panels-${randomUUID().slice(0, 8)}`,
      folder: join(folder, 'stack'),
      ports,
      servers: ['rabbitmq', 'gateway', 'prometheus', 'alertmanager'],
      prometheusConfigFolder: monitoring,
    });
    const { amqpUrl, managementUrl, mongodbUrl, prometheusUrl = '' } = started.stack;
    started.system = await startSystem({
      amqpUrl,
      managementUrl,
      ports,
      folder: join(folder, 'logs'),
      mongodbUrl: new URL('/fit', mongodbUrl).href,
      env: { FIT_TIERS: TIERS.join(), ...COACH },
    });
    started.cron = await startCron(started.system, join(folder, 'logs'), ports.cronMetrics);
    const prometheus = new PrometheusApi(prometheusUrl);
    await load(started.system, prometheus);
    return {
      prometheus,
      startedAt,
      stop,
      client: started.system.client,
      addressOf: (documentedPort) => addressIn(ports, documentedPort),
      rabbitmqctl: started.stack.rabbitmqctl.bind(started.stack),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Cron starts before there are users, so its first run is complete at once, and the function waits for it. */
async function startCron(system: System, folder: string, metricsPort: number): Promise<Child> {
  return await startChild({
    name: 'cron',
    command: process.execPath,
    args: [join(REPOSITORY, 'cron_job.ts')],
    cwd: REPOSITORY,
    env: {
      ...process.env,
      FIT_URL: system.monolith.url,
      FIT_CRON_SECRET_FILE: cronSecretFile(folder),
      METRICS_PORT: `${metricsPort}`,
    },
    logPath: join(folder, 'cron.log'),
    ready: async () => {
      const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      return /^cron_runs_total\{outcome="complete"\} 1$/m.test(page);
    },
    deadlineMs: 30_000,
  });
}

const DOCUMENTED: ReadonlyMap<number, keyof StackPorts> = new Map([
  [12100, 'monolith'],
  [12101, 'coach'],
  [12105, 'management'],
  [12107, 'prometheus'],
  [12110, 'brokerMetrics'],
  [12111, 'monolithMetrics'],
  [12112, 'coachMetrics'],
  [12115, 'cronMetrics'],
]);

function addressIn(ports: StackPorts, documentedPort: number): string {
  const name = DOCUMENTED.get(documentedPort);
  if (name === undefined) throw new Error(`nothing listens on ${documentedPort}`);
  return `127.0.0.1:${ports[name]}`;
}

/**
 * One run per day, each after Prometheus has seen the one before: a counter that rose before its first scrape has no rate. The
 * runs are accepted only, since the coach must still work during the tests.
 */
async function load({ client }: System, prometheus: PrometheusApi): Promise<void> {
  await client.createUsers(sampleUsers(JOB_COUNT));
  await seen(prometheus, 'queue:ready', 0);
  await client.generateWods({ date: DAYS[0] });
  await seen(prometheus, 'sum(jobs_finished_total)', JOB_COUNT / 8);
  await client.generateWods({ date: DAYS[1] });
}

async function seen(prometheus: PrometheusApi, expr: string, least: number): Promise<void> {
  const latest = async () => {
    const now = Math.ceil(Date.now() / 1_000);
    const range = { from: now, to: now, stepSeconds: 5 };
    return (await prometheus.queryRange(expr, range))[0]?.values[0];
  };
  await eventually(async () => ((await latest()) ?? -1) >= least, {
    deadlineMs: 45_000,
    describe: async () => `${expr} is ${await latest()}, not ${least}`,
  });
}
