/** Monolith and coaches as child processes on a running stack: what `npm start`, tests, bench and campaign share. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { Restarter } from '../launch/restarter.ts';
import type { RestartOptions } from '../launch/stack.ts';
import { logTail } from '../process/logTail.ts';
import type { StepOptions } from '../process/runCommand.ts';
import { type Child, describeExit, startChild } from '../process/startChild.ts';
import { NODE_FLAGS } from './nodeFlags.ts';
import { freeCoachPorts, freeSystemPorts, type SystemPorts } from './systemPorts.ts';
import { unreadiness } from './unreadiness.ts';

export interface SystemOptions extends StepOptions {
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
  /** Processes that die are started again, on the same ports; absent: a death is not even told. */
  readonly restarts?: RestartOptions;
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

const REPOSITORY = resolve(import.meta.dirname, '../../../..');
const READY_MS = 60_000;

/**
 * Starts the monolith, then the coaches, one after the other.
 * @throws StackError where a process does not become ready; the reason of the signal where it was aborted. Nothing is
 * left running then.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const adminToken = options.adminToken ?? randomBytes(24).toString('hex');
  const ports = options.ports ?? (await freeSystemPorts());
  const launch = { options, env: sharedEnvironment(options), adminToken };
  const supervisor = new Supervisor(launch);
  const monolithPlace = {
    name: 'monolith',
    port: ports.monolith,
    metricsPort: ports.monolithMetrics,
  };
  const monolith: Slot = {
    place: monolithPlace,
    service: await startService(launch, monolithPlace),
  };
  const coaches: Slot[] = [];
  let coachNumber = 0;
  supervisor.watch(monolith);
  const addCoach = async (env: Readonly<Record<string, string>> = {}): Promise<Service> => {
    coachNumber += 1;
    const declared = [ports, ...(ports.moreCoaches ?? [])][coachNumber - 1];
    const { coach: port, coachMetrics: metricsPort } = declared ?? (await freeCoachPorts());
    const place = { name: `coach-${coachNumber}`, port, metricsPort };
    const coach = { place, service: await startService(launch, { ...place, env }) };
    coaches.push(coach);
    supervisor.watch(coach);
    return coach.service;
  };
  const stop = async () => {
    await supervisor.end();
    await Promise.all(coaches.splice(0).map(({ service }) => service.child.stop()));
    await monolith.service.child.stop();
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
      return monolith.service;
    },
    get coaches() {
      return coaches.map(({ service }) => service);
    },
    addCoach,
    removeCoach: async (index, how) => {
      const [coach] = coaches.splice(index, 1);
      if (coach === undefined) return;
      supervisor.expect(coach);
      await coach.service.child[how]();
    },
    restartMonolith: async (env = {}) => {
      supervisor.expect(monolith);
      await monolith.service.child.kill();
      monolith.service = await startService(launch, { ...monolithPlace, env });
      supervisor.watch(monolith);
    },
    restartCoach: async (index, env = {}) => {
      const coach = coaches[index];
      if (coach === undefined) throw new Error(`there is no coach at place ${index}`);
      supervisor.expect(coach);
      await coach.service.child.kill();
      coach.service = await startService(launch, { ...coach.place, env });
      supervisor.watch(coach);
    },
    stop,
  };
}

/** A process of the system that may be replaced by its successor, and what it is started with. */
interface Slot {
  service: Service;
  readonly place: ServiceOptions;
}

/** Starts processes again that nobody ended; without `restarts` it does nothing. */
class Supervisor {
  readonly #launch: Launch;
  readonly #stopped = new AbortController();
  readonly #expected = new WeakSet<Child>();
  readonly #restarters = new WeakMap<Slot, Restarter>();
  readonly #restarting = new Set<Promise<void>>();

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  /** The next end of this process is wanted. */
  expect({ service }: Slot): void {
    this.#expected.add(service.child);
  }

  watch(slot: Slot): void {
    const { restarts, onProgress } = this.#launch.options;
    if (restarts === undefined) return;
    const { name, child, logPath } = slot.service;
    const restarter =
      this.#restarters.get(slot) ??
      new Restarter({
        name,
        start: () => this.#startAgain(slot),
        signal: this.#stopped.signal,
        onProgress,
        onGiveUp: restarts.onGiveUp,
      });
    this.#restarters.set(slot, restarter);
    void child.exited.then(async (exit) => {
      if (this.#stopped.signal.aborted || this.#expected.has(child)) return;
      const lines = await logTail(logPath);
      onProgress?.(
        `${name} ended unexpectedly (${describeExit(exit)}). Last lines of its log:\n${lines}`,
      );
      const restarting = restarter.restart();
      this.#restarting.add(restarting);
      void restarting.then(() => this.#restarting.delete(restarting));
    });
  }

  /** Nothing is started any more. */
  async end(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#restarting);
  }

  async #startAgain(slot: Slot): Promise<void> {
    slot.service = await startService(this.#launch, slot.place, this.#stopped.signal);
    this.watch(slot);
  }
}

interface Launch {
  readonly options: SystemOptions;
  readonly adminToken: string;
  readonly env: Readonly<Record<string, string>>;
}

interface ServiceOptions {
  readonly name: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly env?: Readonly<Record<string, string>>;
}

async function startService(
  launch: Launch,
  service: ServiceOptions,
  signal = launch.options.signal,
): Promise<Service> {
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
      // No coach has a route that needs the token, also where this process was given it, and none asks Alertmanager.
      ...(workspace === 'monolith'
        ? { FIT_ADMIN_TOKEN: launch.adminToken }
        : { FIT_ADMIN_TOKEN: undefined, ALERTMANAGER_URL: undefined }),
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
    signal,
  });
  return { name, url, metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`, logPath, child };
}

function sharedEnvironment(options: SystemOptions): Readonly<Record<string, string>> {
  const { amqpUrl, managementUrl, mongodbUrl, env } = options;
  return {
    AMQP_URL: amqpUrl,
    // Empty counts as unset: an inherited one would belong to another broker.
    AMQP_MANAGEMENT_URL: managementUrl ?? '',
    MONGODB_URL: mongodbUrl,
    HOST: '127.0.0.1',
    ...env,
  };
}
