/** `npm start`: real services, monolith, coach, sample members, one run, every workout stored. Then it stays up. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { dayIn, EnvironmentReader, readFitTopology } from '@fit/contract';
import { FitClient, followRun } from '@fit/http/client';
import { loadAdminToken } from '@fit/monolith/admin-token';
import {
  brokerTarget,
  type MonitoringTargets,
  nativeTargets,
  readPages,
  readReceivers,
  writeMonitoringConfig,
} from '@fit/prometheus';
import {
  type CoachPorts,
  DEFAULT_PORTS,
  freeCoachPorts,
  onStopSignal,
  type Stack,
  type System,
  sampleUsers,
  startStack,
  startSystem,
  stopStack,
} from '@fit/stack';
import { vhostOf } from '@fit/topology/amqp';

const USAGE = `npm start -- [--once] [--users N] [--coaches N] [--fresh] [--help]

  --once       stop after the run; exit 0 when every workout is stored, 2 when not, 1 on an error
  --users N    sample members, default 200, at most 100000
  --coaches N  default 1
  --fresh      throw away the data of the last start first

Environment: AMQP_URL and MONGODB_URL use given servers, whose broker must export metrics; FIT_PORT_… move ports; every setting of the services passes
through (FIT_PROFILE, FIT_TIERS, COACH_FAILURE_RATE, …). ALERT_… say who is told of alerts: see adr/11.`;

const FOLDER = resolve(import.meta.dirname, '.stack/main');
const RUN_WAIT_MS = 3_600_000;
const startedAt = performance.now();

try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      users: { type: 'string', default: '200' },
      coaches: { type: 'string', default: '1' },
      fresh: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const userCount = readCount('--users', values.users, 100_000);
  const coachCount = readCount('--coaches', values.coaches, 50);
  const signal = nextSignal();
  if (values.fresh) await stopStack(FOLDER, { purge: true });
  const moreCoaches = await Promise.all(Array.from({ length: coachCount - 1 }, freeCoachPorts));
  const stack = await startServices(moreCoaches);
  try {
    const system = await startProcesses(stack, moreCoaches);
    try {
      const isServed = await Promise.race([serveMembers(system, userCount), signal]);
      if (isServed === 'signal') return 130;
      printPlaces(stack, system);
      if (values.once) return isServed ? 0 : 2;
      say('everything stays up until Ctrl-C');
      await signal;
      return 0;
    } finally {
      say('stopping coach and monolith');
      await system.stop();
    }
  } finally {
    say('stopping the services');
    await stack.stop();
    say('stopped; nothing is left running');
  }
}

async function startServices(moreCoaches: readonly CoachPorts[]): Promise<Stack> {
  say('starting the services; the first time this builds them, about a minute');
  const monitoring = resolve(FOLDER, 'monitoring');
  await writeMonitoringConfig(monitoring, {
    ...{ declaration: readFitTopology(process.env), ...watched(moreCoaches) },
    receivers: readReceivers(process.env),
    runbookBase: readPages(process.env, `http://localhost:${DEFAULT_PORTS.monolith}`).runbookBase,
  });
  const options = { name: 'main', folder: FOLDER, prometheusConfigFolder: monitoring };
  const stack = await startStack({ ...options, onProgress: say });
  stack.onUnexpectedExit((service, lastLogLines) => {
    say(`${service} ended unexpectedly:\n${lastLogLines}`);
  });
  return stack;
}

/** A broker that was given is asked on its own host; without its metrics the alerts say that they are blind. */
function watched(moreCoaches: readonly CoachPorts[]): {
  readonly targets: MonitoringTargets;
  readonly vhost: string;
} {
  const coachPorts = moreCoaches.map(({ coachMetrics }) => coachMetrics);
  const targets = nativeTargets(DEFAULT_PORTS, coachPorts);
  const { AMQP_URL: amqpUrl = '', FIT_PORT_BROKER_METRICS: port } = process.env;
  if (amqpUrl === '') return { targets, vhost: '/' };
  const broker = brokerTarget(amqpUrl, port ? DEFAULT_PORTS.brokerMetrics : undefined);
  return { targets: { ...targets, broker }, vhost: vhostOf(amqpUrl) };
}

async function startProcesses(stack: Stack, moreCoaches: readonly CoachPorts[]): Promise<System> {
  const adminToken =
    new EnvironmentReader(process.env).optional('FIT_ADMIN_TOKEN') ??
    (await loadAdminToken(resolve(FOLDER, 'admin-token'), say));
  const { monolith, monolithMetrics, coach, coachMetrics } = DEFAULT_PORTS;
  return await startSystem({
    ...{ amqpUrl: stack.amqpUrl, managementUrl: stack.managementUrl },
    mongodbUrl: databaseUrl(stack.mongodbUrl),
    folder: resolve(FOLDER, 'logs'),
    ports: { monolith, monolithMetrics, coach, coachMetrics, moreCoaches },
    env: {
      PROMETHEUS_URL: stack.prometheusUrl ?? '',
      ALERTMANAGER_URL: stack.alertmanagerUrl ?? '',
    },
    ...{ coachCount: 1 + moreCoaches.length, adminToken, onProgress: say },
  });
}

/** @returns whether every member has today's workout. */
async function serveMembers(system: System, userCount: number): Promise<boolean> {
  const client = new FitClient(system.monolith.url, system.adminToken);
  await client.createUsers(sampleUsers(userCount));
  const date = dayIn(new EnvironmentReader(process.env).timezone(), new Date());
  const { runId, total, created, skipped } = await client.generateWods({ date });
  say(`run for ${date}: ${total} members, ${created} new jobs, ${skipped} were asked for before`);
  const status = await followRun({ client, runId, waitMs: RUN_WAIT_MS, onProgress: say });
  return status.states['done'] === status.total;
}

function printPlaces(stack: Stack, system: System): void {
  const [user] = sampleUsers(1);
  const token = resolve(FOLDER, 'admin-token');
  const coach = system.coaches[0]?.url ?? '';
  process.stdout.write(`
  a workout     curl ${coach}/wods/${user?.id ?? ''}
  status page   ${system.monolith.url}/   (asks for the bearer token in ${token})
  monolith      ${system.monolith.url}/runs   (the same token)
  metrics       ${system.monolith.metricsUrl}
                ${system.coaches[0]?.metricsUrl ?? ''}
  RabbitMQ      ${brokerPlace(stack)}
  Prometheus    ${stack.prometheusUrl ?? 'not started'}/alerts
  Alertmanager  ${stack.alertmanagerUrl ?? 'not started'}
  MongoDB       ${databaseUrl(stack.mongodbUrl)}
  logs          ${resolve(FOLDER, 'logs')}

`);
}

function brokerPlace({ managementUrl = '' }: Stack): string {
  return process.env['AMQP_URL'] ? 'as given by AMQP_URL' : `${managementUrl}   (guest, guest)`;
}

/** @returns the URL with FIT's database where it names none. */
function databaseUrl(mongodbUrl: string): string {
  const url = new URL(mongodbUrl);
  if (url.pathname === '' || url.pathname === '/') url.pathname = '/fit';
  return url.href;
}

function readCount(name: string, text: string, most: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new Error(`${name} '${text}' must be a whole number from 1 to ${most}`);
}

/** One stop is enough: the signals that follow are swallowed. */
function nextSignal(): Promise<'signal'> {
  return new Promise((settle) => {
    onStopSignal(() => {
      settle('signal');
    });
  });
}

function say(line: string): void {
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${line}\n`);
}
