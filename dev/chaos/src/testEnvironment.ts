/** The test environment of a scenario: native servers, monolith and coaches of its own, and the runs that were requested. */
import { resolve } from 'node:path';
import { type FitClient, followRun, type RunStatusReply } from '@fit/client';
import { readFitTopology } from '@fit/contract';
import {
  freePorts,
  type Service,
  type Stack,
  type System,
  sampleUsers,
  startStack,
  startSystem,
} from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { planTopology } from '@fit/topology';
import { execa } from 'execa';
import { type Db, MongoClient } from 'mongodb';
import { type ConsistencyReport, checkConsistency } from './ledger/checkConsistency.ts';
import { type Ledger, readDepths, readLedger } from './ledger/readLedger.ts';
import { type MetricsPage, readMetricsPage, sumOf } from './metricsPage.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../..');
const STACK_NAME = `chaos-${process.pid}`;
const STACK_FOLDER = resolve(REPOSITORY, '.stack', STACK_NAME);
const RUN_TIMEOUT_MS = 900_000;

type Systems = readonly [System, ...System[]];

/** The date of the first run. */
export const FIRST_DATE = '2026-01-05';

export interface TestEnvironmentOptions {
  /** Variables of both services and of the replay command. */
  readonly env: Readonly<Record<string, string>>;
  readonly coachCount: number;
  /** Default 1. Requests go to the first one, unless another one is named. */
  readonly monolithCount?: number;
  /** Is called with each line of progress. */
  readonly report: (line: string) => void;
}

export class TestEnvironment {
  readonly stack: Stack;
  readonly database: Db;
  readonly report: (line: string) => void;
  readonly #options: TestEnvironmentOptions;
  readonly #accepted = new Set<string>();
  /** How many jobs each run must have, by the id of the run. */
  readonly #expectedCounts = new Map<string, number>();
  /** The first monolith with all coaches, and each further monolith. */
  #systems: Systems;

  private constructor(
    parts: { readonly stack: Stack; readonly systems: Systems; readonly database: Db },
    options: TestEnvironmentOptions,
  ) {
    this.stack = parts.stack;
    this.#systems = parts.systems;
    this.database = parts.database;
    this.report = options.report;
    this.#options = options;
  }

  /** Starts everything, runs `work`, and stops everything with its data, also if `work` fails. */
  static async with<Result>(
    options: TestEnvironmentOptions,
    work: (environment: TestEnvironment) => Promise<Result>,
  ): Promise<Result> {
    await using resources = new AsyncDisposableStack();
    const stack = await startStack({
      name: STACK_NAME,
      folder: STACK_FOLDER,
      ports: await freePorts(),
      servers: ['rabbitmq', 'gateway'],
      endsOnSignal: true,
    });
    resources.defer(() => stack.stop({ purge: true }));
    const mongo = new MongoClient(mongodbUrlOf(stack));
    resources.defer(() => mongo.close());
    const environment = new TestEnvironment(
      { stack, systems: await startServices(stack, options), database: mongo.db() },
      options,
    );
    resources.defer(() => stopServices(environment.#systems));
    return await work(environment);
  }

  get system(): System {
    return this.#systems[0];
  }

  get client(): FitClient {
    return this.clientOf(0);
  }

  /** @param index of the monolith, from 0. */
  clientOf(index: number): FitClient {
    const system = this.#systems[index];
    if (system === undefined) throw new Error(`there is no monolith with index ${index}`);
    return system.client;
  }

  /** Every queue of the topology; its wait queues are named after the tiers that the services were started with. */
  get queueNames(): string[] {
    const declaration = readFitTopology(this.#options.env);
    const plan = planTopology(declaration, { version: '4.3.0', hasManagement: true });
    return plan.queues.map(({ name }) => name);
  }

  /** @returns ready messages by queue. */
  async readDepths(): Promise<Record<string, number>> {
    return await readDepths(this.stack.amqpUrl, this.queueNames);
  }

  /** Stops monolith and coaches and starts them with other variables. */
  async restartServices(env: Readonly<Record<string, string>>): Promise<void> {
    await stopServices(this.#systems);
    this.#systems = await startServices(this.stack, {
      ...this.#options,
      env: { ...this.#options.env, ...env },
    });
  }

  /** Creates the users and requests a run for them. @returns the run's id. */
  async createUsersAndRequestRun(userCount: number, date = FIRST_DATE): Promise<string> {
    await this.client.createUsers(sampleUsers(userCount));
    return await this.requestRun(userCount, date);
  }

  /**
   * Requests a run for all users; the ledger expects its jobs after that.
   * @param userCount how many users there are.
   * @param idempotencyKey makes a repeated request the same run.
   * @param monolith index of the monolith that is asked, from 0.
   * @returns the run's id.
   */
  async requestRun(
    userCount: number,
    date: string,
    idempotencyKey?: string,
    monolith = 0,
  ): Promise<string> {
    const { runId } = await this.clientOf(monolith).generateWods({ date }, idempotencyKey);
    const userIds = sampleUsers(userCount).map(({ id }) => id);
    this.#expect(runId, userIds, date);
    return runId;
  }

  /** Requests a run for some users; the ledger expects its jobs after that. @returns the run's id. */
  async requestRunFor(userIds: readonly string[], date: string): Promise<string> {
    const { runId } = await this.client.generateWods({ date, userIds });
    this.#expect(runId, userIds, date);
    return runId;
  }

  #expect(runId: string, userIds: readonly string[], date: string): void {
    this.#expectedCounts.set(runId, userIds.length);
    for (const id of userIds) this.#accepted.add(`${id}:${date}`);
  }

  /**
   * Resolves when every job of the run is done or dead.
   * @returns the status at the end.
   * @throws Error where the run has not as many jobs as there were users: they are recorded after the request is answered.
   */
  async waitForRun(runId: string): Promise<RunStatusReply> {
    const status = await followRun({
      client: this.client,
      runId,
      waitMs: RUN_TIMEOUT_MS,
      onProgress: this.report,
    });
    const { total } = status;
    const expected = this.#expectedCounts.get(runId) ?? total;
    if (total !== expected)
      throw new Error(`a run of ${expected} jobs was expected, it has ${total}`);
    return status;
  }

  /** @returns the metrics pages of every monolith, then those of every coach. */
  async readMetrics(): Promise<{
    readonly monoliths: readonly MetricsPage[];
    readonly coaches: readonly MetricsPage[];
  }> {
    const read = (services: readonly Service[]) =>
      Promise.all(services.map(({ metricsUrl }) => readMetricsPage(metricsUrl)));
    return {
      monoliths: await read(this.#systems.map(({ monolith }) => monolith)),
      coaches: await read(this.system.coaches),
    };
  }

  /** Resolves when no queue but the dead-letter queue has a message and no coach has one in hand: copies are then worked on, too. */
  async waitUntilIdle(): Promise<void> {
    const left = async () => {
      const { coaches } = await this.readMetrics();
      const ready = Object.entries(await this.readDepths())
        .filter(([queue]) => !queue.endsWith('.dead'))
        .reduce((sum, [, depth]) => sum + depth, 0);
      return { ready, inHand: sumOf(coaches, 'jobs_in_flight') };
    };
    await eventually(
      async () => {
        const { ready, inHand } = await left();
        return ready + inHand === 0;
      },
      {
        deadlineMs: RUN_TIMEOUT_MS,
        intervalMs: 500,
        describe: async () => JSON.stringify(await left()),
      },
    );
  }

  async readLedger(): Promise<Ledger> {
    return await readLedger({
      database: this.database,
      amqpUrl: this.stack.amqpUrl,
      queueNames: this.queueNames,
      accepted: [...this.#accepted],
    });
  }

  async checkConsistency(): Promise<ConsistencyReport> {
    return checkConsistency(await this.readLedger());
  }

  /**
   * Runs the replay command as an operator would.
   * @param killAfterMs kills the command with SIGKILL after this time; default: never.
   * @returns its exit code, null if it was killed.
   */
  async replay(args: readonly string[] = [], killAfterMs = 0): Promise<number | null> {
    const { report } = this;
    const { exitCode } = await execa(process.execPath, ['monolith/src/replayCommand.ts', ...args], {
      cwd: REPOSITORY,
      env: {
        ...this.#options.env,
        AMQP_URL: this.stack.amqpUrl,
        MONGODB_URL: mongodbUrlOf(this.stack),
      },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: function* (line: unknown) {
        report(`replay: ${String(line)}`);
        yield line;
      },
      reject: false,
      timeout: killAfterMs,
      killSignal: 'SIGKILL',
    });
    return exitCode ?? null;
  }
}

/** Starts the first monolith with all coaches, then the other monoliths; the logs of each are in a folder of their own. */
async function startServices(
  stack: Stack,
  { env, coachCount, monolithCount = 1 }: TestEnvironmentOptions,
): Promise<Systems> {
  const common = {
    amqpUrl: stack.amqpUrl,
    managementUrl: stack.managementUrl,
    mongodbUrl: mongodbUrlOf(stack),
    secretsFolder: STACK_FOLDER,
    env,
  };
  const logFolder = resolve(STACK_FOLDER, 'logs');
  const first = await startSystem({ ...common, folder: logFolder, coachCount });
  const systems: [System, ...System[]] = [first];
  try {
    for (let number = 2; number <= monolithCount; number += 1)
      systems.push(
        await startSystem({
          ...common,
          folder: resolve(logFolder, String(number)),
          coachCount: 0,
        }),
      );
  } catch (error) {
    await stopServices(systems);
    throw error;
  }
  return systems;
}

async function stopServices(systems: Systems): Promise<void> {
  for (const system of systems.toReversed()) await system.stop();
}

function mongodbUrlOf(stack: Stack): string {
  return new URL('/fit', stack.mongodbUrl).href;
}
