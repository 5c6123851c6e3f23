/** Monolith and coaches as child processes on a running stack; `npm start`, tests, benchmarks and fault campaign use it. */
import { resolve } from 'node:path';
import type { FitClient } from '@fit/client';
import { Restarter } from '../launch/restarter.ts';
import type { RestartOptions } from '../launch/runningStack.ts';
import { freeCoachPorts, freeSystemPorts, type SystemPorts } from '../ports.ts';
import type { StepOptions } from '../process/runCommand.ts';
import { type Child, describeUnexpectedExit, startChild } from '../process/startChild.ts';
import { bootstrapSecretFile, cronSecretFile, provideAdministrator } from './administrator.ts';

/**
 * Flags of the services' Node; a test compares them with those in the Dockerfile.
 *
 * The bounds of the heap keep memory flat: without them V8 collects little garbage while there is much work, and a run of
 * 10,000 jobs took 1.7 times the memory of one of 1,000.
 *
 * Much of what a coach has in hand outlives collections of the new space and moves to the old one. With a new space of 32 MiB that is less
 * of it than with 16. V8 begins to mark the old space once what is free of its limit is no more than the new space has; with a limit
 * below 130 MiB, and 36 to 45 that live under load, it never stops.
 */
export const NODE_FLAGS: readonly string[] = [
  '--max-semi-space-size=32',
  '--max-old-space-size=192',
  // Keeps parsed JSON from reaching a prototype.
  '--disable-proto=delete',
  // The libraries are run from their sources, because only their packages have a built `dist`.
  '--conditions=@fit/source',
];

/**
 * Flags that NODE_OPTIONS does not take. Beside a heap limit as small as this one V8 collects the old space each time that it has
 * grown by a third, which took a sixth of the processor time of monolith and coach (measured); now it doubles first.
 */
export const V8_FLAGS: readonly string[] = ['--heap-growing-percent=100'];

type Environment = Readonly<Record<string, string>>;

/**
 * Environment of the services' processes; a test compares it with the Dockerfile.
 *
 * The C library keeps freed blocks for itself up to a size that it raises by itself, so the 19 MiB of each password hash stayed in the
 * process, once for each thread. With a fixed limit an idle monolith takes 164 MiB instead of 199 (measured).
 */
export const PROCESS_ENVIRONMENT: Environment = { MALLOC_MMAP_THRESHOLD_: '1048576' };

export interface SystemOptions extends StepOptions {
  readonly amqpUrl: string;
  readonly managementUrl: string | undefined;
  readonly mongodbUrl: string;
  /** Folder of the logs. */
  readonly folder: string;
  /**
   * Where the secrets of the monolith and the log-in of the first administrator are, made where they are missing; default: `folder`.
   * Monoliths with one database share it.
   */
  readonly secretsFolder?: string;
  /** Default: free ones. */
  readonly ports?: SystemPorts;
  readonly coachCount?: number;
  /** Further variables of both processes, such as FIT_TIERS or COACH_FAILURE_RATE. */
  readonly env?: Environment;
  /** Starts processes that die again, on the same ports; absent: a death is not even reported. */
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
  /** Sends requests to the monolith as the first administrator. */
  readonly client: FitClient;
  readonly monolith: Service;
  readonly coaches: readonly Service[];
  /** @param env overrides for this coach alone. */
  addCoach(env?: Environment): Promise<Service>;
  /** Stops or kills the coach with this index and removes it from the list. */
  removeCoach(index: number, how: 'stop' | 'kill'): Promise<void>;
  /**
   * Starts the monolith again on the same ports, after killing it.
   * @param env overrides for this start alone.
   */
  restartMonolith(env?: Environment): Promise<void>;
  /**
   * Starts the coach with this index again on the same ports, after killing it.
   * @param env overrides for this start alone.
   */
  restartCoach(index: number, env?: Environment): Promise<void>;
  /** Stops the coaches, then the monolith; every child is gone afterwards. */
  stop(): Promise<void>;
}

const REPOSITORY = resolve(import.meta.dirname, '../../../..');
const READY_DEADLINE_MS = 60_000;
/** A service answers within a second, whatever its dependencies do. */
const READINESS_ANSWER_MS = 2_000;

/**
 * Starts the monolith, then the coaches, one after the other.
 * @throws StackError if a process does not become ready; the reason of the signal if it was aborted. Nothing is
 * left running then.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const ports = options.ports ?? (await freeSystemPorts());
  const launch = { options, env: sharedEnvironment(options) };
  const monolith = await SupervisedService.start(launch, {
    name: 'monolith',
    port: ports.monolith,
    metricsPort: ports.monolithMetrics,
  });
  const coaches: SupervisedService[] = [];
  const coachAt = (index: number): SupervisedService => {
    const coach = coaches[index];
    if (coach === undefined) throw new Error(`there is no coach with index ${index}`);
    return coach;
  };
  let coachNumber = 0;
  const addCoach = async (env: Environment = {}): Promise<Service> => {
    coachNumber += 1;
    const declared = [ports, ...(ports.moreCoaches ?? [])][coachNumber - 1];
    const { coach: port, coachMetrics: metricsPort } = declared ?? (await freeCoachPorts());
    const settings = { name: `coach-${coachNumber}`, port, metricsPort };
    const coach = await SupervisedService.start(launch, settings, env);
    coaches.push(coach);
    return coach.service;
  };
  const stop = async () => {
    await Promise.all([monolith, ...coaches].map((supervised) => supervised.stopRestarts()));
    await Promise.all(coaches.splice(0).map((coach) => coach.end('stop')));
    await monolith.end('stop');
  };
  let client: FitClient;
  try {
    client = await provideAdministrator({
      url: monolith.service.url,
      secretsFolder: options.secretsFolder ?? options.folder,
      bootstrapSecret: options.env?.['FIT_BOOTSTRAP_SECRET'] ?? process.env['FIT_BOOTSTRAP_SECRET'],
      signal: options.signal,
    });
    for (let count = options.coachCount ?? 1; count > 0; count -= 1) await addCoach();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    client,
    get monolith() {
      return monolith.service;
    },
    get coaches() {
      return coaches.map(({ service }) => service);
    },
    addCoach,
    removeCoach: async (index, how) => {
      const coach = coachAt(index);
      coaches.splice(index, 1);
      await coach.stopRestarts();
      await coach.end(how);
    },
    restartMonolith: (env) => monolith.killAndStart(env),
    restartCoach: (index, env) => coachAt(index).killAndStart(env),
    stop,
  };
}

/** A process of the system, which is started again when it ends unexpectedly, if the options request it. */
class SupervisedService {
  readonly #launch: Launch;
  readonly #settings: ServiceSettings;
  readonly #restarter: Restarter | undefined;
  /** The child that was last stopped on purpose. */
  #endedChild: Child | undefined;
  #areRestartsStopped = false;
  service: Service;

  private constructor(launch: Launch, settings: ServiceSettings, service: Service) {
    const { restarts, onProgress } = launch.options;
    this.#launch = launch;
    this.#settings = settings;
    this.service = service;
    if (restarts !== undefined)
      this.#restarter = new Restarter({
        name: settings.name,
        start: async (signal) => {
          this.service = await startService(launch, settings, {}, signal);
          this.#watch();
        },
        onProgress,
        onGiveUp: restarts.onGiveUp,
      });
    this.#watch();
  }

  /** @param env overrides for this start alone. */
  static async start(
    launch: Launch,
    settings: ServiceSettings,
    env?: Environment,
  ): Promise<SupervisedService> {
    const service = await startService(launch, settings, env);
    return new SupervisedService(launch, settings, service);
  }

  /** Ends the process without a restart. */
  async end(how: 'stop' | 'kill'): Promise<void> {
    const { child } = this.service;
    this.#endedChild = child;
    await child[how]();
  }

  async killAndStart(env?: Environment): Promise<void> {
    await this.end('kill');
    this.service = await startService(this.#launch, this.#settings, env);
    this.#watch();
  }

  async stopRestarts(): Promise<void> {
    this.#areRestartsStopped = true;
    await this.#restarter?.stop();
  }

  #watch(): void {
    const { name, child, logPath } = this.service;
    void child.exited.then(async (exit) => {
      if (this.#restarter === undefined || this.#areRestartsStopped || this.#endedChild === child)
        return;
      this.#launch.options.onProgress?.(await describeUnexpectedExit(name, exit, logPath));
      this.#restarter.restartInBackground();
    });
  }
}

interface Launch {
  readonly options: SystemOptions;
  readonly env: Environment;
}

interface ServiceSettings {
  readonly name: string;
  readonly port: number;
  readonly metricsPort: number;
}

async function startService(
  launch: Launch,
  settings: ServiceSettings,
  env: Environment = {},
  signal = launch.options.signal,
): Promise<Service> {
  const { name, port, metricsPort } = settings;
  const { folder, secretsFolder = folder, onProgress } = launch.options;
  const workspace = name.split('-')[0] ?? name;
  const url = `http://127.0.0.1:${port}`;
  const logPath = resolve(folder, `${name}.log`);
  let notReadyReason: string | undefined;
  const child = await startChild({
    name,
    command: process.execPath,
    args: [...NODE_FLAGS, ...V8_FLAGS, resolve(REPOSITORY, workspace, 'src/main.ts')],
    cwd: REPOSITORY,
    env: {
      ...process.env,
      ...launch.env,
      // No coach needs a secret of the monolith or asks Alertmanager, so none is inherited from this process.
      ...(workspace === 'monolith'
        ? {
            FIT_BOOTSTRAP_SECRET_FILE: bootstrapSecretFile(secretsFolder),
            FIT_CRON_SECRET_FILE: cronSecretFile(secretsFolder),
          }
        : {
            FIT_BOOTSTRAP_SECRET: undefined,
            FIT_CRON_SECRET: undefined,
            ALERTMANAGER_URL: undefined,
          }),
      ...env,
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
    },
    logPath,
    // Polled on the metrics port, whose requests are not logged; the public port opens before the service is ready.
    ready: async () => {
      notReadyReason = await reasonNotReady(`http://127.0.0.1:${metricsPort}/readyz`);
      return notReadyReason === undefined;
    },
    notReadyReason: () => notReadyReason,
    deadlineMs: READY_DEADLINE_MS,
    onProgress,
    signal,
  });
  return { name, url, metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`, logPath, child };
}

function sharedEnvironment(options: SystemOptions): Environment {
  const { amqpUrl, managementUrl, mongodbUrl, env } = options;
  return {
    AMQP_URL: amqpUrl,
    // Set to empty, which counts as unset: an inherited URL would belong to another broker.
    AMQP_MANAGEMENT_URL: managementUrl ?? '',
    MONGODB_URL: mongodbUrl,
    HOST: '127.0.0.1',
    ...PROCESS_ENVIRONMENT,
    ...env,
  };
}

/** Body of /readyz. */
interface ReadinessReply {
  readonly checks?: Readonly<Record<string, { readonly why?: string }>>;
}

/** @returns why a service is not ready, such as 'store: does not answer a ping'; undefined if it is ready. */
export async function reasonNotReady(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(READINESS_ANSWER_MS) });
    if (response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    const { checks = {} } = (await response.json()) as ReadinessReply;
    const reasons = Object.entries(checks).flatMap(([name, { why }]) =>
      why === undefined ? [] : [`${name}: ${why}`],
    );
    return reasons.join('; ') || `status ${response.status}`;
  } catch {
    return `no answer from ${url}`;
  }
}
