/** Starts the native stack: real servers as child processes on loopback. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { freePortList, portIsTaken, portsFrom, portVariable, type StackPorts } from '../ports.ts';
import { killProcessesOnFolder } from '../process/processTable.ts';
import type { StepOptions } from '../process/runCommand.ts';
import { INTERRUPTED_EXIT_CODE, stopOnSignal } from '../process/stopOnSignal.ts';
import { waitUntil } from '../process/waitUntil.ts';
import { checkHost } from '../root/checkHost.ts';
import {
  type BrokerSuite,
  brokerRoot,
  ensureRoot,
  MAIN_ROOT,
  REDIS_ROOT,
} from '../root/rootFolders.ts';
import { alertmanager, loadAlertmanagerUser } from '../servers/alertmanager.ts';
import { type Credentials, userInfoOf } from '../servers/credentials.ts';
import { ensureGateway, gateway } from '../servers/gateway.ts';
import { ensureDatabaseTemplate, postgresql } from '../servers/postgresql.ts';
import { prometheus } from '../servers/prometheus.ts';
import { loadBrokerUser, rabbitmq } from '../servers/rabbitmq.ts';
import { redis } from '../servers/redis.ts';
import {
  DEFAULT_SERVER_NAMES,
  SERVER_NAMES,
  type ServerDefinition,
  type ServerName,
  type StackSettings,
} from '../servers/serverDefinition.ts';
import { StackError } from '../stackError.ts';
import { type RestartOptions, type Roots, RunningStack, type Stack } from './runningStack.ts';
import { claimFolder, defaultFolder, removeState, type StackUrls } from './stackFolder.ts';

/** A port stays taken for a moment after kill -9 of its owner. */
const PORT_FREE_DEADLINE_MS = 2_000;

export interface StackOptions extends StepOptions {
  /** Distinguishes stacks on one machine. It is part of the broker's node name, so a folder keeps its name. */
  readonly name: string;
  /** Holds data, logs and configuration; default `<repository>/.stack/<name>`. */
  readonly folder?: string;
  /** Default: the documented ports, moved by `FIT_PORT_…`. */
  readonly ports?: StackPorts;
  /** Default: all that FIT needs. */
  readonly servers?: readonly ServerName[];
  /** Folder with prometheus.yml, rules/ and alertmanager.yml; default: minimal ones. */
  readonly prometheusConfigFolder?: string;
  /** Debian suite that the broker comes from; default `sid` (RabbitMQ 4.3). */
  readonly brokerSuite?: BrokerSuite;
  /** Settings of the application `rabbit` by name, such as times that a test cannot wait for; kept over restarts. */
  readonly brokerSettings?: Readonly<Record<string, number>>;
  /**
   * Broker and Alertmanager have one user each, whose password is made at the first start and kept in `broker.env` and
   * `alertmanager.env` of the folder; the stack's URLs contain it. A given Prometheus configuration then has to log in at
   * Alertmanager, with `ALERTMANAGER_LOGIN`. Default false: guest and no password, for stacks on free ports that live as
   * long as a test.
   */
  readonly hasPasswords?: boolean;
  /**
   * A stop signal stops the stack, removes its folder and ends the process with exit code 130, for programs that have
   * nothing else to finish. Default false.
   */
  readonly endsOnSignal?: boolean;
  /** Starts servers that die again; absent: a death is only reported. */
  readonly restarts?: RestartOptions;
  /** Deletes the data of the last start first. Default false. */
  readonly isFresh?: boolean;
  /** Called when the folder belongs to this process, before anything is built or started; may write there. */
  readonly onClaimed?: (folder: string) => Promise<void>;
}

/**
 * Starts the servers and resolves when all of them answer. With `AMQP_URL` or `MONGODB_URL` in the environment the
 * servers of that kind are not started, and those URLs are returned. An aborted signal ends the start within seconds; it
 * has no effect on a stack that is ready.
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`, `PORT_TAKEN`, `STACK_RUNNING`, `SERVER_NOT_READY`,
 * `SERVER_DIED`, `FOLDER_UNUSABLE`; the reason of the signal if it was aborted. Nothing is left running then.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const folder = resolve(options.folder ?? defaultFolder(options.name));
  if (options.endsOnSignal !== true) return await startIn(folder, options);
  return await endOnSignal(folder, (signal) => startIn(folder, { ...options, signal }));
}

async function startIn(folder: string, options: StackOptions): Promise<Stack> {
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const plan = withoutMonitoring(planServers(options.servers, process.env), options);
  const lock = await claimFolder(folder, options);
  try {
    await options.onClaimed?.(folder);
    const roots =
      plan.start.length === 0
        ? undefined
        : await prepareRoots(plan.start, options.brokerSuite ?? 'sid', options);
    const settings = await settingsOf(options, folder, roots, plan);
    const definitions = plan.start.map((name) => DEFINE[name](settings));
    await checkPorts(definitions, settings.ports, signal);
    const running = new RunningStack(
      {
        settings,
        definitions,
        roots,
        urls: urlsOf(plan, settings),
        lock,
        restarts: options.restarts,
        signal,
      },
      onProgress,
    );
    await running.startAll();
    return running;
  } catch (error) {
    removeState(folder);
    lock.release();
    throw error;
  }
}

const DEFINE: Readonly<Record<ServerName, (settings: StackSettings) => ServerDefinition>> = {
  rabbitmq,
  postgresql,
  gateway,
  redis,
  alertmanager,
  prometheus,
};

export interface ServerPlan {
  /** In starting order. */
  readonly start: readonly ServerName[];
  /** A given broker; undefined: the stack's own. */
  readonly amqpUrl: string | undefined;
  readonly managementUrl: string | undefined;
  /** A given database; undefined: the stack's own. */
  readonly mongodbUrl: string | undefined;
}

/**
 * Decides which servers are started and which are taken from the environment.
 * @param wanted undefined means all that FIT needs. The gateway brings the database behind it along.
 * @param environment `AMQP_URL`, `AMQP_MANAGEMENT_URL`, `MONGODB_URL`; empty counts as absent.
 */
export function planServers(
  wanted: readonly ServerName[] | undefined,
  environment: NodeJS.ProcessEnv,
): ServerPlan {
  const given = (variable: string): string | undefined => {
    const url = environment[variable];
    return url === '' ? undefined : url;
  };
  const amqpUrl = given('AMQP_URL');
  const mongodbUrl = given('MONGODB_URL');
  const names = new Set(wanted ?? DEFAULT_SERVER_NAMES);
  if (names.has('gateway')) names.add('postgresql');
  if (amqpUrl !== undefined) names.delete('rabbitmq');
  if (mongodbUrl !== undefined) {
    names.delete('postgresql');
    names.delete('gateway');
  }
  return {
    start: SERVER_NAMES.filter((name) => names.has(name)),
    amqpUrl,
    managementUrl: amqpUrl === undefined ? undefined : given('AMQP_MANAGEMENT_URL'),
    mongodbUrl,
  };
}

/**
 * With broker and database given, the stack must start on any machine: Prometheus and Alertmanager are left out if
 * they cannot run, unless the caller named them.
 */
function withoutMonitoring(plan: ServerPlan, options: StackOptions): ServerPlan {
  const isGiven = plan.amqpUrl !== undefined && plan.mongodbUrl !== undefined;
  if (process.platform === 'linux' || !isGiven || options.servers !== undefined) return plan;
  options.onProgress?.('not Linux: no Prometheus and no Alertmanager');
  return { ...plan, start: [] };
}

/** Builds what the servers run from if it is missing; the builds run in parallel if possible. */
async function prepareRoots(
  servers: readonly ServerName[],
  brokerSuite: BrokerSuite,
  step: StepOptions,
): Promise<Roots> {
  const mode = await checkHost();
  const brokerRecipe = brokerRoot(brokerSuite);
  const needsBroker = servers.includes('rabbitmq');
  const needsMain =
    (needsBroker && brokerRecipe === MAIN_ROOT) ||
    servers.some((name) => name !== 'rabbitmq' && name !== 'redis');
  const nothing = Promise.resolve(undefined);
  const builds = [
    needsMain ? ensureRoot(MAIN_ROOT, step) : nothing,
    servers.includes('gateway') ? ensureGateway(step) : nothing,
    needsBroker && brokerRecipe !== MAIN_ROOT ? ensureRoot(brokerRecipe, step) : nothing,
    servers.includes('redis') ? ensureRoot(REDIS_ROOT, step) : nothing,
  ];
  // All builds are awaited even when one fails, so that none goes on after this function has thrown.
  await Promise.allSettled(builds);
  const [mainRoot = '', gatewayFolder, rootOfBroker = mainRoot, rootOfRedis = mainRoot] =
    await Promise.all(builds);
  const ownRoots: Partial<Record<ServerName, string>> = {
    rabbitmq: rootOfBroker,
    redis: rootOfRedis,
  };
  return {
    mode,
    rootOf: (server) => ownRoots[server] ?? mainRoot,
    gateway: gatewayFolder,
    databaseTemplate: servers.includes('postgresql')
      ? await ensureDatabaseTemplate(mainRoot, step)
      : undefined,
  };
}

async function settingsOf(
  options: StackOptions,
  folder: string,
  roots: Roots | undefined,
  plan: ServerPlan,
): Promise<StackSettings> {
  const [epmdPort = 0, distributionPort = 0] = await freePortList(2);
  const ports = options.ports ?? portsFrom(process.env);
  const hasPassword = (name: ServerName): boolean =>
    options.hasPasswords === true && plan.start.includes(name);
  const configFolder = options.prometheusConfigFolder;
  return {
    name: options.name,
    folder,
    ports,
    epmdPort,
    distributionPort,
    prometheusConfigFolder: configFolder === undefined ? undefined : resolve(configFolder),
    databaseTemplate: roots?.databaseTemplate,
    brokerSettings: options.brokerSettings ?? {},
    brokerUser: hasPassword('rabbitmq') ? loadBrokerUser(folder, ports) : undefined,
    alertmanagerUser: hasPassword('alertmanager') ? loadAlertmanagerUser(folder, ports) : undefined,
  };
}

/** @returns the addresses of the stack's own servers, with their passwords, and those from the environment. */
function urlsOf(plan: ServerPlan, settings: StackSettings): StackUrls {
  const { ports, brokerUser, alertmanagerUser } = settings;
  const http = (name: ServerName, port: number, user?: Credentials): string | undefined =>
    plan.start.includes(name) ? `http://${userInfoOf(user)}127.0.0.1:${port}` : undefined;
  return {
    amqpUrl: plan.amqpUrl ?? `amqp://${userInfoOf(brokerUser)}127.0.0.1:${ports.amqp}`,
    managementUrl: plan.managementUrl ?? http('rabbitmq', ports.management, brokerUser),
    mongodbUrl: plan.mongodbUrl ?? `mongodb://127.0.0.1:${ports.mongodb}/`,
    prometheusUrl: http('prometheus', ports.prometheus),
    alertmanagerUrl: http('alertmanager', ports.alertmanager, alertmanagerUser),
    brokerMetricsUrl: http('rabbitmq', ports.brokerMetrics),
  };
}

/** @throws StackError `PORT_TAKEN`, listing all taken ports with the variables that move them. */
async function checkPorts(
  definitions: readonly ServerDefinition[],
  ports: StackPorts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const findings: string[] = [];
  for (const { name, listensOn } of definitions) {
    for (const portName of listensOn) {
      const port = ports[portName];
      const isFree = async (): Promise<boolean> => !(await portIsTaken(port));
      if (await waitUntil(isFree, { deadlineMs: PORT_FREE_DEADLINE_MS, signal })) continue;
      signal?.throwIfAborted();
      findings.push(`port ${port} of ${name} is taken; ${portVariable(portName)}=<port> moves it`);
    }
  }
  if (findings.length > 0) throw new StackError('PORT_TAKEN', findings.join('\n'));
}

/** Stacks with `endsOnSignal`, by folder, whether they are starting, running or stopped. */
const stacksToEnd = new Map<string, Promise<Stack>>();
let endSignal: AbortSignal | undefined;

/**
 * Starts a stack that a signal ends, also during its start. The process does not wait for its own work; its other
 * children die with it (`startChild`).
 */
async function endOnSignal(
  folder: string,
  start: (signal: AbortSignal) => Promise<Stack>,
): Promise<Stack> {
  endSignal ??= listenForEnd();
  const stack = start(endSignal);
  stacksToEnd.set(folder, stack);
  return await stack;
}

function listenForEnd(): AbortSignal {
  const signal = stopOnSignal(() =>
    Promise.all([...stacksToEnd.keys()].map(killProcessesOnFolder)),
  );
  signal.addEventListener('abort', () => {
    process.stderr.write('stopping the servers and removing their folders\n');
    const ends = [...stacksToEnd].map(([folder, stack]) => endStack(folder, stack));
    void Promise.allSettled(ends).then(() => process.exit(INTERRUPTED_EXIT_CODE));
  });
  return signal;
}

/** Stops a stack; the stop of a stack that is stopped or being stopped is awaited. */
async function endStack(folder: string, starting: Promise<Stack>): Promise<void> {
  try {
    await (await starting).stop({ purge: true });
  } catch (error) {
    if (!(error instanceof StackError)) return;
    // An interrupted start leaves its folder; any other failed start leaves it too, for its logs.
    if (error.code === 'STOPPED') await rm(folder, { recursive: true, force: true });
    if (error.code === 'PROCESSES_LEFT') process.stderr.write(`${error.message}\n`);
  }
}
