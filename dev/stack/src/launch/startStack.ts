/** The native stack: real services as child processes on loopback. */
import { resolve } from 'node:path';
import { freePortList, portsFrom, type StackPorts } from '../ports.ts';
import type { StepOptions } from '../process/runCommand.ts';
import type { BrokerSuite } from '../root/recipe.ts';
import { loadAlertmanagerUser } from '../service/alertmanagerUser.ts';
import { loadBrokerUser } from '../service/brokerUser.ts';
import type { ServiceName, StackPlace } from '../service/serviceDefinition.ts';
import { checkPorts, claimFolder } from './claimFolder.ts';
import { describeServices, describeUrls } from './describeServices.ts';
import { endOnSignal } from './endOnSignal.ts';
import { planServices, type ServicePlan } from './planServices.ts';
import { prepareRoots, type Roots } from './prepareRoots.ts';
import { RunningStack } from './runningStack.ts';
import type { RestartOptions, Stack } from './stack.ts';
import { defaultFolder, removeState } from './stackState.ts';

export interface StackOptions extends StepOptions {
  /**
   * Distinguishes stacks on one machine; also part of the broker's node name, so keep it for a
   * folder.
   */
  readonly name: string;
  /** Holds data, logs and configuration; default `<repository>/.stack/<name>`. */
  readonly folder?: string;
  /** Default: `DEFAULT_PORTS`. */
  readonly ports?: StackPorts;
  /** Default: all. */
  readonly services?: readonly ServiceName[];
  /** Folder with prometheus.yml, rules/ and alertmanager.yml, rendered; absent: minimal ones. */
  readonly prometheusConfigFolder?: string;
  /** Debian suite the broker comes from; default `sid` (RabbitMQ 4.3). */
  readonly brokerSuite?: BrokerSuite;
  /** Settings of the application `rabbit` by name, such as times that a test cannot wait for; kept over restarts. */
  readonly brokerSettings?: Readonly<Record<string, number>>;
  /**
   * Broker and Alertmanager have one user each, whose password is made at the first start and kept in `broker.env` and
   * `alertmanager.env` of the folder; the stack's URLs hold it. A given Prometheus configuration then has to log in at
   * Alertmanager, with `ALERTMANAGER_LOGIN`. Default false: guest and no password, for stacks on free ports that live as
   * long as a test.
   */
  readonly hasPasswords?: boolean;
  /** For a program that has servers of its own and nothing to finish: a signal removes them and ends it. Default false. */
  readonly endsOnSignal?: boolean;
  /** Services that die are started again; absent: a death is only told. */
  readonly restarts?: RestartOptions;
  /** Deletes the data of the last start first. Default false. */
  readonly isFresh?: boolean;
  /** Called when the folder belongs to this process, before anything is built or started; it may write there. */
  readonly onClaimed?: (folder: string) => Promise<void>;
}

/**
 * Starts the services and resolves when all of them answer. With `AMQP_URL` or `MONGODB_URL` in the
 * environment the services of that kind are not started, and those URLs are returned.
 * An aborted signal ends the start within seconds; a stack that is ready is not touched by it.
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`, `PORT_TAKEN`, `STACK_RUNNING`,
 * `SERVICE_NOT_READY`, `SERVICE_DIED`, `FOLDER_UNUSABLE`; the reason of the signal where it was aborted. Nothing is left
 * running then.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const folder = resolve(options.folder ?? defaultFolder(options.name));
  if (options.endsOnSignal !== true) return await startIn(folder, options);
  return await endOnSignal(folder, (signal) => startIn(folder, { ...options, signal }));
}

async function startIn(folder: string, options: StackOptions): Promise<Stack> {
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const plan = leaveOutMonitoring(planServices(options.services, process.env), options);
  const lock = await claimFolder(folder, options);
  try {
    await options.onClaimed?.(folder);
    const roots = await rootsFor(plan, options);
    const place = await placeOf(options, { folder, roots, plan });
    const definitions = describeServices(plan, place);
    await checkPorts(definitions, { ...place.ports }, signal);
    const urls = describeUrls(plan, place);
    const parts = { place, definitions, roots, urls, lock, restarts: options.restarts, signal };
    const running = new RunningStack(parts, onProgress);
    await running.startAll();
    return running;
  } catch (error) {
    removeState(folder);
    lock.release();
    throw error;
  }
}

/**
 * With both servers given from outside the stack must come up on any machine. Prometheus and
 * Alertmanager are then left out where they cannot run, unless the caller asked for them by name.
 */
function leaveOutMonitoring(plan: ServicePlan, options: StackOptions): ServicePlan {
  const isGiven = plan.amqpUrl !== undefined && plan.mongodbUrl !== undefined;
  if (process.platform === 'linux' || !isGiven || options.services !== undefined) return plan;
  options.onProgress?.('not Linux: no Prometheus and no Alertmanager');
  return { ...plan, start: [] };
}

async function rootsFor(plan: ServicePlan, options: StackOptions): Promise<Roots | undefined> {
  if (plan.start.length === 0) return undefined;
  return await prepareRoots(plan.start, options.brokerSuite ?? 'sid', options);
}

async function placeOf(
  options: StackOptions,
  {
    folder,
    roots,
    plan,
  }: {
    readonly folder: string;
    readonly roots: Roots | undefined;
    readonly plan: ServicePlan;
  },
): Promise<StackPlace> {
  const [epmdPort = 0, distributionPort = 0] = await freePortList(2);
  const ports = options.ports ?? portsFrom(process.env);
  const asksPassword = (name: ServiceName): boolean =>
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
    brokerUser: asksPassword('rabbitmq') ? loadBrokerUser(folder, ports) : undefined,
    alertmanagerUser: asksPassword('alertmanager')
      ? loadAlertmanagerUser(folder, ports)
      : undefined,
  };
}
