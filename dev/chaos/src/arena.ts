/** A stack of its own with the system on it: where a scenario happens. */
import { spawn } from 'node:child_process';
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
import { type Db, MongoClient } from 'mongodb';
import { judge, type Verdict } from './ledger/judge.ts';
import type { Ledger } from './ledger/ledger.ts';
import { readDepths, readLedger } from './ledger/readLedger.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../..');
const RUN_WAIT_MS = 900_000;
export const DAY = '2026-01-05';

export interface ArenaOptions {
  /** Of both services and of the replay. */
  readonly env: Readonly<Record<string, string>>;
  readonly coachCount: number;
  readonly say: (line: string) => void;
}

export class Arena {
  readonly stack: Stack;
  readonly database: Db;
  readonly say: (line: string) => void;
  readonly #options: ArenaOptions;
  readonly #mongo: MongoClient;
  readonly #accepted = new Set<string>();
  #system: System;

  private constructor(
    parts: { stack: Stack; system: System; mongo: MongoClient },
    options: ArenaOptions,
  ) {
    this.stack = parts.stack;
    this.#system = parts.system;
    this.#mongo = parts.mongo;
    this.database = parts.mongo.db('fit');
    this.say = options.say;
    this.#options = options;
  }

  /** Opens, plays, closes; nothing is left, whatever happens. */
  static async play<Result>(
    options: ArenaOptions,
    script: (arena: Arena) => Promise<Result>,
  ): Promise<Result> {
    const name = `chaos-${process.pid}`;
    const folder = resolve(REPOSITORY, '.stack', name);
    const ports = await freePorts();
    const stack = await startStack({
      name,
      folder,
      ports,
      services: ['rabbitmq', 'gateway'],
      endsOnSignal: true,
    });
    const mongo = new MongoClient(mongoUrl(stack));
    try {
      const system = await Arena.#startSystem(stack, options);
      const arena = new Arena({ stack, system, mongo }, options);
      try {
        return await script(arena);
      } finally {
        await arena.#system.stop();
      }
    } finally {
      await mongo.close();
      await stack.stop({ purge: true });
    }
  }

  static async #startSystem(stack: Stack, options: ArenaOptions): Promise<System> {
    const { amqpUrl, managementUrl } = stack;
    const folder = resolve(REPOSITORY, '.stack', `chaos-${process.pid}`, 'logs');
    const { env, coachCount } = options;
    return await startSystem({
      amqpUrl,
      managementUrl,
      mongodbUrl: mongoUrl(stack),
      folder,
      env,
      coachCount,
    });
  }

  /** Every queue of the topology that the services were started with; other tiers have other names. */
  get queues(): string[] {
    const declaration = readFitTopology(this.#options.env);
    const plan = planTopology(declaration, { version: '4.3.0', hasManagement: true });
    return plan.queues.map(({ name }) => name);
  }

  get depths(): Promise<Record<string, number>> {
    return readDepths(this.stack.amqpUrl, this.queues);
  }

  get system(): System {
    return this.#system;
  }

  get client(): FitClient {
    return new FitClient(this.#system.monolith.url, this.#system.adminToken);
  }

  /** Stops both services and starts them with other variables. */
  async restart(env: Readonly<Record<string, string>>): Promise<void> {
    await this.#system.stop();
    this.#system = await Arena.#startSystem(this.stack, {
      ...this.#options,
      env: { ...this.#options.env, ...env },
    });
  }

  /** @returns the run's id; its jobs stand in the ledger from now on. */
  async ask(userCount: number, date = DAY): Promise<string> {
    await this.client.createUsers(sampleUsers(userCount));
    return await this.request(date, userCount);
  }

  /** As `ask`, for members who are there. @param key makes a repeated request the same run. */
  async request(date: string, userCount: number, key?: string): Promise<string> {
    const { runId, total } = await this.client.generateWods({ date }, key);
    if (total !== userCount) throw new Error(`asked for ${userCount}, the run has ${total}`);
    for (const { id } of sampleUsers(userCount)) this.#accepted.add(`${id}:${date}`);
    return runId;
  }

  async follow(runId: string): Promise<void> {
    const { client, say: onProgress } = this;
    await followRun({ client, runId, waitMs: RUN_WAIT_MS, onProgress });
  }

  async ledger(): Promise<Ledger> {
    return await readLedger(this.database, this.stack.amqpUrl, {
      accepted: [...this.#accepted],
      queues: this.queues,
    });
  }

  async verdict(): Promise<Verdict> {
    return judge(await this.ledger());
  }

  /**
   * Runs the replay command as an operator would.
   * @param killAfterMs kill -9 it after this long.
   */
  async replay(args: readonly string[] = [], killAfterMs?: number): Promise<number | null> {
    const child = spawn(process.execPath, ['monolith/src/replayCommand.ts', ...args], {
      cwd: REPOSITORY,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        ...this.#options.env,
        AMQP_URL: this.stack.amqpUrl,
        MONGODB_URL: mongoUrl(this.stack),
      },
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.trim().split('\n')) this.say(`replay: ${line}`);
    });
    const killer = setTimeout(() => child.kill('SIGKILL'), killAfterMs ?? 2 ** 31 - 1);
    const code = await new Promise<number | null>((settle) => child.once('exit', settle));
    clearTimeout(killer);
    return code;
  }
}

function mongoUrl(stack: Stack): string {
  return new URL('/fit', stack.mongodbUrl).href;
}

export async function pause(pauseMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}

/** @throws Error with the description of the last state past the deadline. */
export async function until(
  probe: () => Promise<boolean>,
  { deadlineMs, describe }: { deadlineMs: number; describe: () => Promise<string> },
): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${await describe()}`);
    await pause(200);
  }
}
