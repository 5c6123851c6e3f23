/** Monolith and coaches as child processes on a running stack: what `npm start`, tests, bench and campaign share. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { type Child, startChild } from '../process/startChild.ts';
import { NODE_FLAGS } from './nodeFlags.ts';
import { freeCoachPorts, freeSystemPorts, type SystemPorts } from './systemPorts.ts';
import { unreadiness } from './unreadiness.ts';

export interface SystemOptions {
  readonly amqpUrl: string;
  readonly managementUrl: string | undefined;
  readonly mongodbUrl: string;
  /** Logs go here. */
  readonly folder: string;
  /** Default: free ones. */
  readonly ports?: SystemPorts;
  readonly coachCount?: number;
  /** At least 32 characters; default: a random one. */
  readonly adminToken?: string;
  /** Further variables of both processes, such as FIT_TIERS or COACH_FAILURE_RATE. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onProgress?: (line: string) => void;
}

export interface Service {
  readonly name: string;
  readonly url: string;
  readonly metricsUrl: string;
  readonly logPath: string;
  readonly child: Child;
}

export interface System {
  readonly adminToken: string;
  readonly monolith: Service;
  readonly coaches: readonly Service[];
  /** @param env overrides for this coach alone. */
  addCoach(env?: Readonly<Record<string, string>>): Promise<Service>;
  /** Kills or stops the coach at this place; it is then off the list. */
  removeCoach(index: number, how: 'stop' | 'kill'): Promise<void>;
  /**
   * Starts the monolith again on the same ports, after killing it.
   * @param env overrides for this start alone.
   */
  restartMonolith(env?: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Starts the coach at this place again on the same ports, after killing it.
   * @param env overrides for this start alone.
   */
  restartCoach(index: number, env?: Readonly<Record<string, string>>): Promise<void>;
  /** Coaches first, then the monolith; every child is gone afterwards. */
  stop(): Promise<void>;
}

const REPOSITORY = resolve(import.meta.dirname, '../../..');
const READY_MS = 60_000;

/** @throws StackError where a process does not become ready; nothing is left running then. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const adminToken = options.adminToken ?? randomBytes(24).toString('hex');
  const ports = options.ports ?? (await freeSystemPorts());
  const launch = { options, env: sharedEnvironment(options, adminToken) };
  const state = {
    monolith: await startService(launch, {
      ...{ name: 'monolith', port: ports.monolith, metricsPort: ports.monolithMetrics },
    }),
    coaches: [] as Coach[],
    coachNumber: 0,
  };
  const addCoach = async (env: Readonly<Record<string, string>> = {}): Promise<Service> => {
    state.coachNumber += 1;
    const declared = [ports, ...(ports.moreCoaches ?? [])][state.coachNumber - 1];
    const { coach: port, coachMetrics: metricsPort } = declared ?? (await freeCoachPorts());
    const place = { name: `coach-${state.coachNumber}`, port, metricsPort };
    const coach = { ...(await startService(launch, { ...place, env })), place };
    state.coaches.push(coach);
    return coach;
  };
  const stop = async () => {
    await Promise.all(state.coaches.splice(0).map(({ child }) => child.stop()));
    await state.monolith.child.stop();
  };
  try {
    for (let count = options.coachCount ?? 1; count > 0; count -= 1) await addCoach();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    adminToken,
    get monolith() {
      return state.monolith;
    },
    get coaches() {
      return state.coaches;
    },
    addCoach,
    removeCoach: async (index, how) => {
      const [coach] = state.coaches.splice(index, 1);
      await coach?.child[how]();
    },
    restartMonolith: async (env = {}) => {
      await state.monolith.child.kill();
      state.monolith = await startService(launch, {
        ...{ name: 'monolith', port: ports.monolith, metricsPort: ports.monolithMetrics, env },
      });
    },
    restartCoach: async (index, env = {}) => {
      const coach = state.coaches[index];
      if (coach === undefined) throw new Error(`there is no coach at place ${index}`);
      await coach.child.kill();
      const { place } = coach;
      state.coaches[index] = { ...(await startService(launch, { ...place, env })), place };
    },
    stop,
  };
}

/** A coach, and what it is started again with. */
type Coach = Service & { readonly place: ServiceOptions };

interface Launch {
  readonly options: SystemOptions;
  readonly env: Readonly<Record<string, string>>;
}

interface ServiceOptions {
  readonly name: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly env?: Readonly<Record<string, string>>;
}

async function startService(launch: Launch, service: ServiceOptions): Promise<Service> {
  const { name, port, metricsPort } = service;
  const { folder, onProgress } = launch.options;
  const workspace = name.split('-')[0] ?? name;
  const url = `http://127.0.0.1:${port}`;
  const logPath = resolve(folder, `${name}.log`);
  let why: string | undefined;
  const child = await startChild({
    name,
    command: process.execPath,
    args: [...NODE_FLAGS, resolve(REPOSITORY, workspace, 'src/main.ts')],
    cwd: REPOSITORY,
    env: {
      ...process.env,
      ...launch.env,
      ...service.env,
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
    },
    logPath,
    // On the operators' port, where asking often leaves no trace; the public one is open before it says ready.
    ready: async () => {
      why = await unreadiness(`http://127.0.0.1:${metricsPort}/readyz`);
      return why === undefined;
    },
    whyNot: () => why,
    deadlineMs: READY_MS,
    onProgress,
  });
  return { name, url, metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`, logPath, child };
}

function sharedEnvironment(
  options: SystemOptions,
  adminToken: string,
): Readonly<Record<string, string>> {
  const { amqpUrl, managementUrl, mongodbUrl, env } = options;
  return {
    AMQP_URL: amqpUrl,
    // Empty counts as unset: an inherited one would belong to another broker.
    AMQP_MANAGEMENT_URL: managementUrl ?? '',
    MONGODB_URL: mongodbUrl,
    FIT_ADMIN_TOKEN: adminToken,
    HOST: '127.0.0.1',
    ...env,
  };
}
