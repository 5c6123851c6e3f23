/** The native stack: real services as child processes on loopback. */
import { resolve } from 'node:path';
import { DEFAULT_PORTS, freePortList, type StackPorts } from '../ports.ts';
import type { BrokerSuite } from '../root/recipe.ts';
import type { ServiceName, StackPlace } from '../service/serviceDefinition.ts';
import { checkPorts, claimFolder } from './claimFolder.ts';
import { describeServices, describeUrls } from './describeServices.ts';
import { endOnSignal } from './endOnSignal.ts';
import { planServices, type ServicePlan } from './planServices.ts';
import { prepareRoots, type Roots } from './prepareRoots.ts';
import { RunningStack } from './runningStack.ts';
import type { Stack } from './stack.ts';
import { defaultFolder } from './stackState.ts';

export interface StackOptions {
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
  /** For a program that has servers of its own and nothing to finish: a signal removes them and ends it. Default false. */
  readonly endsOnSignal?: boolean;
  readonly onProgress?: (line: string) => void;
}

/**
 * Starts the services and resolves when all of them answer. With `AMQP_URL` or `MONGODB_URL` in the
 * environment the services of that kind are not started, and those URLs are returned.
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`, `PORT_TAKEN`, `STACK_RUNNING`,
 * `SERVICE_NOT_READY`, `SERVICE_DIED`; nothing is left running then.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const folder = resolve(options.folder ?? defaultFolder(options.name));
  const plan = leaveOutMonitoring(planServices(options.services, process.env), options);
  const lock = await claimFolder(folder, options.onProgress);
  try {
    const roots = await rootsFor(plan, options);
    const place = await placeOf(options, folder, roots);
    const definitions = describeServices(plan, place);
    await checkPorts(definitions, { ...place.ports });
    const urls = describeUrls(plan, place);
    const running = new RunningStack({ place, definitions, roots, urls, lock }, options.onProgress);
    await running.startAll();
    if (options.endsOnSignal) endOnSignal(running);
    return running;
  } catch (error) {
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
  return await prepareRoots(plan.start, options.brokerSuite ?? 'sid', options.onProgress);
}

async function placeOf(
  options: StackOptions,
  folder: string,
  roots: Roots | undefined,
): Promise<StackPlace> {
  const [epmdPort = 0, distributionPort = 0] = await freePortList(2);
  const configFolder = options.prometheusConfigFolder;
  return {
    name: options.name,
    folder,
    ports: options.ports ?? DEFAULT_PORTS,
    epmdPort,
    distributionPort,
    prometheusConfigFolder: configFolder === undefined ? undefined : resolve(configFolder),
    databaseTemplate: roots?.databaseTemplate,
    brokerSettings: options.brokerSettings ?? {},
  };
}
