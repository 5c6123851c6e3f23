/** The test environment of a scenario: native servers, monolith and coaches of its own, and the runs that were requested. */
import { resolve } from 'node:path';
import { FitClient, followRun } from '@fit/client';
import { readFitTopology } from '@fit/contract';
import {
  freePorts,
  type Stack,
  type System,
  sampleUsers,
  startStack,
  startSystem,
} from '@fit/stack';
import { planTopology } from '@fit/topology';
import { execa } from 'execa';
import { type Db, MongoClient } from 'mongodb';
import { type ConsistencyReport, checkConsistency } from './ledger/checkConsistency.ts';
import { type Ledger, readDepths, readLedger } from './ledger/readLedger.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../..');
const STACK_NAME = `chaos-${process.pid}`;
const STACK_FOLDER = resolve(REPOSITORY, '.stack', STACK_NAME);
const RUN_TIMEOUT_MS = 900_000;

/** The date of the first run. */
export const FIRST_DATE = '2026-01-05';

export interface TestEnvironmentOptions {
  /** Variables of both services and of the replay command. */
  readonly env: Readonly<Record<string, string>>;
  readonly coachCount: number;
  /** Is called with each line of progress. */
  readonly report: (line: string) => void;
}

export class TestEnvironment {
  readonly stack: Stack;
  readonly database: Db;
  readonly report: (line: string) => void;
  readonly #options: TestEnvironmentOptions;
  readonly #accepted = new Set<string>();
  #system: System;

  private constructor(
    parts: { readonly stack: Stack; readonly system: System; readonly database: Db },
    options: TestEnvironmentOptions,
  ) {
    this.stack = parts.stack;
    this.#system = parts.system;
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
      { stack, system: await startServices(stack, options), database: mongo.db() },
      options,
    );
    resources.defer(() => environment.system.stop());
    return await work(environment);
  }

  get system(): System {
    return this.#system;
  }

  get client(): FitClient {
    return new FitClient(this.#system.monolith.url, this.#system.adminToken);
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
    await this.#system.stop();
    this.#system = await startServices(this.stack, {
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
   * @returns the run's id.
   */
  async requestRun(userCount: number, date: string, idempotencyKey?: string): Promise<string> {
    const { runId, total } = await this.client.generateWods({ date }, idempotencyKey);
    if (total !== userCount)
      throw new Error(`a run of ${userCount} jobs was expected, it has ${total}`);
    for (const { id } of sampleUsers(userCount)) this.#accepted.add(`${id}:${date}`);
    return runId;
  }

  /** Resolves when every job of the run is done or dead. */
  async waitForRun(runId: string): Promise<void> {
    await followRun({
      client: this.client,
      runId,
      waitMs: RUN_TIMEOUT_MS,
      onProgress: this.report,
    });
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

async function startServices(
  stack: Stack,
  { env, coachCount }: TestEnvironmentOptions,
): Promise<System> {
  return await startSystem({
    amqpUrl: stack.amqpUrl,
    managementUrl: stack.managementUrl,
    mongodbUrl: mongodbUrlOf(stack),
    folder: resolve(STACK_FOLDER, 'logs'),
    env,
    coachCount,
  });
}

function mongodbUrlOf(stack: Stack): string {
  return new URL('/fit', stack.mongodbUrl).href;
}
