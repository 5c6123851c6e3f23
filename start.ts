/**
 * `npm start`: starts real servers, the monolith and coaches, creates sample users, starts a run for them and waits until
 * every workout is stored. Then everything stays up until Ctrl-C.
 */
import { once } from 'node:events';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { followRun, untilAccepted } from '@fit/client';
import { readCoachConfig } from '@fit/coach/config';
import { ConfigError, dayIn, type Environment, type FitDeclaration } from '@fit/contract';
import { readMonolithConfig } from '@fit/monolith/config';
import {
  type AlertReceivers,
  brokerTarget,
  type MonitoringTargets,
  nativeTargets,
  ReceiverError,
  readLinks,
  readReceivers,
  writeMonitoringConfig,
} from '@fit/prometheus';
import {
  ALERTMANAGER_LOGIN,
  administratorFile,
  alertmanagerFile,
  brokerFile,
  type CoachPorts,
  DEFAULT_PORTS,
  defaultFolder,
  freeCoachPorts,
  INTERRUPTED_EXIT_CODE,
  isOptionError,
  isStackName,
  killProcessesOnFolder,
  portsFrom,
  type RestartOptions,
  type Stack,
  StackError,
  type System,
  sampleUsers,
  startStack,
  startSystem,
  stopOnSignal,
  withoutLogin,
} from '@fit/stack';
import { vhostOf } from '@fit/topology/amqp';
import pTimeout from 'p-timeout';

const USAGE = `npm start -- [--once] [--users N] [--coaches N] [--fresh] [--name NAME] [--help]

  --once       stop after the run
  --users N    sample users, default 200, at most 100000
  --coaches N  coach processes, default 1, at most 50
  --fresh      delete the data of the last start first
  --name NAME  keep the data in .stack/NAME, default main; a second system beside the first needs other ports

Progress goes to standard error, the addresses to standard output. A service or server that ends is started again.
Exit code 0: every workout of the run is stored; 2: some are not; 1: an error; 130: stopped before the run ended.

Environment: AMQP_URL and MONGODB_URL name servers that exist already, whose broker must export metrics; FIT_PORT_… move
ports; the services get every setting of theirs (FIT_PROFILE, FIT_TIERS, COACH_FAILURE_RATE, …); ALERT_… say who is
notified of alerts. docs/ describes them all.`;

const RUN_WAIT_MS = 3_600_000;
/** Variables that `npm start` sets itself for each process, so their values in its own environment do not matter. */
const OVERRIDDEN = ['HOST', 'PORT', 'METRICS_PORT', 'PROMETHEUS_URL', 'ALERTMANAGER_URL'] as const;
const startedAt = performance.now();

// The process exits although requests may be open: a run that was followed when the stop came would be polled for an hour.
process.exit(await main().catch(exitCodeOf));

/** The values that the steps of the start share. */
interface Launch {
  readonly config: StartConfig;
  /** The folder of data, logs and secrets. */
  readonly folder: string;
  readonly name: string;
  readonly isFresh: boolean;
  /** The ports of the coaches beside the first one. */
  readonly moreCoaches: readonly CoachPorts[];
  /** Aborted by a stop signal, or when a process could not be kept running. */
  readonly signal: AbortSignal;
  readonly restarts: RestartOptions;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      users: { type: 'string', default: '200' },
      coaches: { type: 'string', default: '1' },
      fresh: { type: 'boolean', default: false },
      name: { type: 'string', default: 'main' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const userCount = readCount('--users', values.users, 100_000);
  const coachCount = readCount('--coaches', values.coaches, 50);
  if (!isStackName(values.name))
    throw new Error(`--name '${values.name}' must be 1 to 40 characters of a-z, 0-9 and -`);
  const config = readStartConfig(process.env);
  const folder = defaultFolder(values.name);
  const stopping = stopOnSignal(() => killProcessesOnFolder(folder));
  const givingUp = new AbortController();
  const signal = AbortSignal.any([stopping, givingUp.signal]);
  signal.addEventListener('abort', () => {
    report(`stopping: ${messageOf(signal.reason)}`);
  });
  const launch: Launch = {
    config,
    folder,
    name: values.name,
    isFresh: values.fresh,
    moreCoaches: await Promise.all(Array.from({ length: coachCount - 1 }, freeCoachPorts)),
    signal,
    restarts: {
      onGiveUp: (error) => {
        givingUp.abort(error);
      },
    },
  };

  const stack = await startServers(launch);
  try {
    const system = await startServices(launch, stack);
    try {
      const isComplete = await pTimeout(makeWorkouts(launch, system, userCount), {
        milliseconds: Number.POSITIVE_INFINITY,
        signal,
      });
      printAddresses(launch, stack, system);
      if (!values.once) {
        report('everything stays up until Ctrl-C');
        if (!signal.aborted) await once(signal, 'abort');
        givingUp.signal.throwIfAborted();
      }
      return isComplete ? 0 : 2;
    } finally {
      report('stopping coach and monolith');
      await system.stop();
    }
  } finally {
    report('stopping the servers');
    await stack.stop();
    report('stopped; nothing is left running');
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) for (const finding of error.findings) report(finding);
  else report(messageOf(error));
  if (isOptionError(error)) return 2;
  return error instanceof StackError && error.code === 'STOPPED' ? INTERRUPTED_EXIT_CODE : 1;
}

// ---- Set up: the environment, checked before anything starts

interface StartConfig {
  readonly declaration: FitDeclaration;
  readonly receivers: AlertReceivers;
  readonly runbookBase: string;
  /** The time zone whose day is today, as an IANA name. */
  readonly timezone: string;
  /** Servers that exist already; undefined: they are started. */
  readonly amqpUrl: string | undefined;
  readonly mongodbUrl: string | undefined;
}

/**
 * No I/O.
 * @throws ConfigError with every finding about every variable that `npm start` and its services read.
 */
function readStartConfig(env: Environment): StartConfig {
  const inherited = { ...env };
  for (const name of OVERRIDDEN) Reflect.deleteProperty(inherited, name);
  const findings = new Set<string>();
  const attempt = <Value>(read: () => Value): Value | undefined => {
    try {
      return read();
    } catch (error) {
      if (error instanceof ConfigError || error instanceof ReceiverError)
        for (const finding of error.findings) findings.add(finding);
      else if (error instanceof StackError)
        for (const finding of error.message.split('\n')) findings.add(finding);
      else throw error;
      return undefined;
    }
  };
  const ports = attempt(() => portsFrom(env));
  const monolith = attempt(() => readMonolithConfig(inherited));
  const coach = attempt(() => readCoachConfig(inherited));
  const receivers = attempt(() => readReceivers(env));
  const statusPage = ports === undefined ? undefined : `http://localhost:${ports.monolith}`;
  const links = attempt(() => readLinks(env, statusPage));
  if (!monolith || !coach || !receivers || !links || !ports) throw new ConfigError([...findings]);
  return {
    declaration: monolith.declaration,
    receivers,
    runbookBase: links.runbookBase,
    timezone: monolith.timezone,
    amqpUrl: env['AMQP_URL'] ? monolith.amqpUrl : undefined,
    mongodbUrl: env['MONGODB_URL'] ? monolith.mongodbUrl : undefined,
  };
}

// ---- Start: the servers, then monolith and coaches

async function startServers(launch: Launch): Promise<Stack> {
  const { config, name, folder, isFresh, signal, restarts } = launch;
  report('starting the servers; the first time they are built, which takes about a minute');
  const monitoring = resolve(folder, 'monitoring');
  return await startStack({
    name,
    folder,
    isFresh,
    hasPasswords: true,
    prometheusConfigFolder: monitoring,
    onClaimed: async () => {
      await writeMonitoringConfig(monitoring, {
        declaration: config.declaration,
        receivers: config.receivers,
        runbookBase: config.runbookBase,
        alertmanagerLogin: ALERTMANAGER_LOGIN,
        ...scraped(launch),
      });
    },
    onProgress: report,
    signal,
    restarts,
  });
}

/** What Prometheus scrapes. A broker that exists already is scraped on its own host. */
function scraped({ config, moreCoaches }: Launch): {
  readonly targets: MonitoringTargets;
  readonly vhost: string;
} {
  const coachPorts = moreCoaches.map(({ coachMetrics }) => coachMetrics);
  const targets = nativeTargets(DEFAULT_PORTS, coachPorts);
  const { amqpUrl } = config;
  if (amqpUrl === undefined) return { targets, vhost: '/' };
  const { FIT_PORT_BROKER_METRICS: port } = process.env;
  const broker = brokerTarget(amqpUrl, port ? DEFAULT_PORTS.brokerMetrics : undefined);
  return { targets: { ...targets, broker }, vhost: vhostOf(amqpUrl) };
}

async function startServices(launch: Launch, stack: Stack): Promise<System> {
  const { config, folder, moreCoaches, signal, restarts } = launch;
  const { monolith, monolithMetrics, coach, coachMetrics } = DEFAULT_PORTS;
  return await startSystem({
    amqpUrl: stack.amqpUrl,
    managementUrl: stack.managementUrl,
    mongodbUrl: databaseUrl(config, stack),
    folder: resolve(folder, 'logs'),
    secretsFolder: folder,
    ports: { monolith, monolithMetrics, coach, coachMetrics, moreCoaches },
    env: {
      PROMETHEUS_URL: stack.prometheusUrl ?? '',
      ALERTMANAGER_URL: stack.alertmanagerUrl ?? '',
    },
    coachCount: 1 + moreCoaches.length,
    onProgress: report,
    signal,
    restarts,
  });
}

// ---- The main job: a run for the sample users

/**
 * Creates the sample users, starts a run for every user and waits for its end, also while a process is started again.
 * @returns whether every workout of the run is stored.
 */
async function makeWorkouts(
  { config, signal }: Launch,
  system: System,
  userCount: number,
): Promise<boolean> {
  const { client } = system;
  const retry = { waitMs: RUN_WAIT_MS, signal, onProgress: report };
  await untilAccepted(() => client.createUsers(sampleUsers(userCount)), retry);
  const date = dayIn(config.timezone, new Date());
  // All attempts have the same key, so a request whose reply was lost is answered with the run that it started.
  const key = `start:${crypto.randomUUID()}`;
  const run = await untilAccepted(() => client.generateWods({ date }, key), retry);
  const { runId } = run;
  report(`run ${runId} for ${date} is accepted`);
  const status = await followRun({ client, runId, waitMs: RUN_WAIT_MS, onProgress: report });
  const { total, created, skipped } = status;
  report(`run for ${date}: ${total} users, ${created} new jobs, ${skipped} jobs existed before`);
  return (status.states['done'] ?? 0) === total;
}

// ---- Show where to look

function printAddresses({ config, folder }: Launch, stack: Stack, system: System): void {
  const [user] = sampleUsers(1);
  process.stdout.write(`
  a workout     ${system.monolith.url}/users/${user?.id ?? ''}/wod   (as the administrator, see docs/access.md)
  status page   ${system.monolith.url}/   (e-mail address and password: ${administratorFile(folder)})
  monolith      ${system.monolith.url}/docs   (the same log-in)
  metrics       ${system.monolith.metricsUrl}
                ${system.coaches[0]?.metricsUrl ?? ''}
  RabbitMQ      ${brokerAddress(config, stack, folder)}
  Prometheus    ${stack.prometheusUrl ?? 'not started'}/alerts
  Alertmanager  ${alertmanagerAddress(stack, folder)}
  MongoDB       ${databaseAddress(config, stack)}
  logs          ${resolve(folder, 'logs')}

`);
}

function brokerAddress({ amqpUrl }: StartConfig, stack: Stack, folder: string): string {
  return amqpUrl === undefined
    ? `${withoutLogin(stack.managementUrl ?? '')}   (user and password: BROKER in ${brokerFile(folder)})`
    : 'the server of AMQP_URL';
}

function alertmanagerAddress({ alertmanagerUrl }: Stack, folder: string): string {
  return alertmanagerUrl === undefined
    ? 'not started'
    : `${withoutLogin(alertmanagerUrl)}   (user and password in ${alertmanagerFile(folder)})`;
}

/** The value of MONGODB_URL may hold a password, so it is not shown. */
function databaseAddress(config: StartConfig, stack: Stack): string {
  return config.mongodbUrl === undefined ? databaseUrl(config, stack) : 'the server of MONGODB_URL';
}

/** MONGODB_URL is passed on unchanged: if it names no database, the services use the one of FIT. */
function databaseUrl({ mongodbUrl }: StartConfig, stack: Stack): string {
  return mongodbUrl ?? new URL('/fit', stack.mongodbUrl).href;
}

function readCount(name: string, text: string, most: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new Error(`${name} '${text}' must be a whole number from 1 to ${most}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function report(line: string): void {
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6);
  process.stderr.write(`${seconds} s  ${line}\n`);
}
