/** `npm start`: real services, monolith, coach, sample members, one run, every workout stored. Then it stays up. */
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { FitClient, FitRequestError, followRun } from '@fit/client';
import { ConfigError, dayIn } from '@fit/contract';
import { loadAdminToken } from '@fit/monolith/admin-token';
import {
  brokerTarget,
  type MonitoringTargets,
  nativeTargets,
  writeMonitoringConfig,
} from '@fit/prometheus';
import {
  ALERTMANAGER_LOGIN,
  alertmanagerFile,
  brokerFile,
  type CoachPorts,
  DEFAULT_PORTS,
  defaultFolder,
  freeCoachPorts,
  isStackName,
  isWrongOption,
  type RestartOptions,
  type Stack,
  StackError,
  type System,
  sampleUsers,
  startStack,
  startSystem,
  stopOnSignal,
  sweepFolder,
  withoutLogin,
} from '@fit/stack';
import { vhostOf } from '@fit/topology/amqp';
import { readStartConfig, type StartConfig } from './readStartConfig.ts';

const USAGE = `npm start -- [--once] [--users N] [--coaches N] [--fresh] [--name NAME] [--help]

  --once       stop after the run
  --users N    sample members, default 200, at most 100000
  --coaches N  default 1
  --fresh      throw away the data of the last start first
  --name NAME  keeps its data in .stack/NAME, default main; a second one beside it needs other ports

Progress goes to standard error, the addresses to standard output. A service or server that dies is started again.
Exit code 0: every workout of the run is stored; 2: not; 1: an error; 130: stopped before the run had ended.

Environment: AMQP_URL and MONGODB_URL use given servers, whose broker must export metrics; FIT_PORT_… move ports; every setting of the services passes
through (FIT_PROFILE, FIT_TIERS, COACH_FAILURE_RATE, …). ALERT_… say who is told of alerts: see adr/11.`;

const RUN_WAIT_MS = 3_600_000;
const RETRY_MS = 1_000;
const INTERRUPTED = 130;
const startedAt = performance.now();

interface Launch {
  /** What the environment says, checked. */
  readonly config: StartConfig;
  /** Of data, logs and the admin's token. */
  readonly folder: string;
  readonly name: string;
  readonly isFresh: boolean;
  readonly moreCoaches: readonly CoachPorts[];
  /** Aborted by a stop signal, or where a program is given up. */
  readonly signal: AbortSignal;
  readonly restarts: RestartOptions;
}

// Exits at once: a run that was followed when the stop came would be asked for until its deadline.
process.exit(await main().catch(exitCodeOf));

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) for (const finding of error.findings) say(finding);
  else say(describe(error));
  if (isWrongOption(error)) return 2;
  return error instanceof StackError && error.code === 'STOPPED' ? INTERRUPTED : 1;
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
    throw new Error(`--name '${values.name}' must be up to 40 of a-z, 0-9 and -`);
  const config = readStartConfig(process.env);
  const folder = defaultFolder(values.name);
  const stopping = stopOnSignal(() => sweepFolder(folder));
  const givingUp = new AbortController();
  const signal = AbortSignal.any([stopping, givingUp.signal]);
  signal.addEventListener('abort', () => {
    say(`stopping: ${describe(signal.reason)}`);
  });
  const moreCoaches = await Promise.all(Array.from({ length: coachCount - 1 }, freeCoachPorts));
  const launch: Launch = {
    config,
    folder,
    name: values.name,
    isFresh: values.fresh,
    moreCoaches,
    signal,
    restarts: {
      onGiveUp: (error) => {
        givingUp.abort(error);
      },
    },
  };
  const stack = await startServices(launch);
  try {
    const system = await startProcesses(launch, stack);
    try {
      const isServed = await orAborted(serveMembers(launch, system, userCount), signal);
      printPlaces(launch, stack, system);
      if (!values.once) {
        say('everything stays up until Ctrl-C');
        await untilAborted(signal);
        if (givingUp.signal.aborted) throw givingUp.signal.reason;
      }
      return isServed ? 0 : 2;
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

async function startServices(launch: Launch): Promise<Stack> {
  const { config, name, folder, isFresh, signal, restarts } = launch;
  say('starting the services; the first time this builds them, about a minute');
  const monitoring = resolve(folder, 'monitoring');
  return await startStack({
    name,
    folder,
    isFresh,
    hasPasswords: true,
    prometheusConfigFolder: monitoring,
    onClaimed: async () => {
      const { declaration, receivers, runbookBase } = config;
      await writeMonitoringConfig(monitoring, {
        declaration,
        receivers,
        runbookBase,
        alertmanagerLogin: ALERTMANAGER_LOGIN,
        ...watched(launch),
      });
    },
    onProgress: say,
    signal,
    restarts,
  });
}

/** A broker that was given is asked on its own host; without its metrics the alerts say that they are blind. */
function watched({ config, moreCoaches }: Launch): {
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

async function startProcesses(launch: Launch, stack: Stack): Promise<System> {
  const { config, folder, moreCoaches, signal, restarts } = launch;
  const adminToken =
    config.adminToken ?? (await loadAdminToken(resolve(folder, 'admin-token'), say));
  const { monolith, monolithMetrics, coach, coachMetrics } = DEFAULT_PORTS;
  return await startSystem({
    amqpUrl: stack.amqpUrl,
    managementUrl: stack.managementUrl,
    mongodbUrl: databaseUrl(config, stack),
    folder: resolve(folder, 'logs'),
    ports: { monolith, monolithMetrics, coach, coachMetrics, moreCoaches },
    env: {
      PROMETHEUS_URL: stack.prometheusUrl ?? '',
      ALERTMANAGER_URL: stack.alertmanagerUrl ?? '',
    },
    coachCount: 1 + moreCoaches.length,
    adminToken,
    onProgress: say,
    signal,
    restarts,
  });
}

/**
 * Asks for the sample members' workouts and waits until they are stored, also while a process is started again.
 * @returns whether every member has today's workout.
 */
async function serveMembers(
  { config, signal }: Launch,
  system: System,
  userCount: number,
): Promise<boolean> {
  const client = new FitClient(system.monolith.url, system.adminToken);
  await whileRestarting(signal, () => client.createUsers(sampleUsers(userCount)));
  const date = dayIn(config.timezone, new Date());
  // One key for all attempts: a request whose answer was lost is answered with the run that it began.
  const key = `start:${crypto.randomUUID()}`;
  const run = await whileRestarting(signal, () => client.generateWods({ date }, key));
  const { runId, total, created, skipped } = run;
  say(`run for ${date}: ${total} members, ${created} new jobs, ${skipped} were asked for before`);
  const status = await followRun({ client, runId, waitMs: RUN_WAIT_MS, onProgress: say });
  return status.states['done'] === status.total;
}

/** Asks again where the monolith or its database does not answer; a refusal or a defect is final. */
async function whileRestarting<Answer>(
  signal: AbortSignal,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const end = performance.now() + RUN_WAIT_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!mayPass(error) || performance.now() > end) throw error;
      say(`the monolith does not answer (${describe(error)}); asking again`);
      await delay(RETRY_MS, undefined, { signal });
    }
  }
}

/** @returns whether the same request may succeed later: the monolith is away, busy, or without its database. */
function mayPass(error: unknown): boolean {
  if (error instanceof FitRequestError) return error.status === 429 || error.status === 503;
  // fetch tells a network failure as a TypeError with a cause, and its own time limit as a TimeoutError.
  return error instanceof Error && (error.name === 'TimeoutError' || error.cause !== undefined);
}

/** @throws the reason of the signal, where that comes first. */
async function orAborted<Answer>(answer: Promise<Answer>, signal: AbortSignal): Promise<Answer> {
  const first = await Promise.race([answer, untilAborted(signal)]);
  signal.throwIfAborted();
  return first as Answer;
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

function printPlaces({ config, folder }: Launch, stack: Stack, system: System): void {
  const [user] = sampleUsers(1);
  const token = resolve(folder, 'admin-token');
  const coach = system.coaches[0]?.url ?? '';
  process.stdout.write(`
  a workout     curl ${coach}/wods/${user?.id ?? ''}
  status page   ${system.monolith.url}/   (asks for the bearer token in ${token})
  monolith      ${system.monolith.url}/runs   (the same token)
  metrics       ${system.monolith.metricsUrl}
                ${system.coaches[0]?.metricsUrl ?? ''}
  RabbitMQ      ${brokerPlace(config, stack, folder)}
  Prometheus    ${stack.prometheusUrl ?? 'not started'}/alerts
  Alertmanager  ${alertmanagerPlace(stack, folder)}
  MongoDB       ${databasePlace(config, stack)}
  logs          ${resolve(folder, 'logs')}

`);
}

function brokerPlace(
  { amqpUrl }: StartConfig,
  { managementUrl = '' }: Stack,
  folder: string,
): string {
  return amqpUrl !== undefined
    ? 'as given by AMQP_URL'
    : `${withoutLogin(managementUrl)}   (user and password: BROKER in ${brokerFile(folder)})`;
}

function alertmanagerPlace({ alertmanagerUrl }: Stack, folder: string): string {
  return alertmanagerUrl === undefined
    ? 'not started'
    : `${withoutLogin(alertmanagerUrl)}   (user and password in ${alertmanagerFile(folder)})`;
}

/** A given URL may hold a password, so it is not shown. */
function databasePlace(config: StartConfig, stack: Stack): string {
  return config.mongodbUrl === undefined ? databaseUrl(config, stack) : 'as given by MONGODB_URL';
}

/** @returns a given URL as it is, since services use FIT's database where it names none; else that of our database. */
function databaseUrl({ mongodbUrl }: StartConfig, stack: Stack): string {
  return mongodbUrl ?? new URL('/fit', stack.mongodbUrl).href;
}

function readCount(name: string, text: string, most: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new Error(`${name} '${text}' must be a whole number from 1 to ${most}`);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function say(line: string): void {
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6);
  process.stderr.write(`${seconds} s  ${line}\n`);
}
