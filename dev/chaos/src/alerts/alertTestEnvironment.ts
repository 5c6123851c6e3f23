/** The whole system natively, monitored with the short windows, with a webhook behind every receiver and a steady load. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { FitClient } from '@fit/client';
import { readFitTopology } from '@fit/contract';
import { nativeTargets, SHORT_WINDOWS, writeMonitoringConfig } from '@fit/prometheus';
import {
  freePorts,
  type Stack,
  type StackPorts,
  type System,
  sampleUsers,
  startStack,
  startSystem,
} from '@fit/stack';
import { AlertSink } from '@fit/stack/testing';

const REPOSITORY = resolve(import.meta.dirname, '../../../..');

/** A few hundred jobs fill this queue, and many retries gather in the third tier. */
const ENVIRONMENT = { FIT_MAX_LENGTH: '200', FIT_TIERS: '1s,2s,10s' };
/** The broker retries a transfer into a full queue after 180 s by default, which is too long for a campaign. */
const BROKER_SETTINGS = { dead_letter_worker_publisher_confirm_timeout: 20_000 };
const LOAD_PER_SECOND = 3;
const GUEST = { username: 'guest', password: 'guest' };

export interface AlertTestEnvironment {
  readonly stack: Stack;
  readonly system: System;
  readonly sink: AlertSink;
  readonly load: SteadyLoad;
  /** The URL of the management API, with user and password. */
  readonly managementUrl: string;
  readonly log: (line: string) => void;
}

type ShutdownHooks = (() => Promise<unknown> | undefined)[];

/** Starts the test environment, runs `script` in it, and stops everything, also if a step fails. */
export async function withAlertTestEnvironment<Result>(
  log: (line: string) => void,
  script: (environment: AlertTestEnvironment) => Promise<Result>,
): Promise<Result> {
  const shutdownHooks: ShutdownHooks = [];
  try {
    return await script(await openEnvironment(log, shutdownHooks));
  } finally {
    for (const hook of shutdownHooks.reverse()) await hook();
  }
}

async function openEnvironment(
  log: (line: string) => void,
  shutdownHooks: ShutdownHooks,
): Promise<AlertTestEnvironment> {
  const name = `alerts-${process.pid}`;
  const folder = resolve(REPOSITORY, '.stack', name);
  const sink = await AlertSink.open();
  shutdownHooks.push(() => sink.close());
  const ports = await freePorts();
  const prometheusConfigFolder = await renderMonitoring(ports, sink, shutdownHooks);
  const stack = await startStack({
    name,
    folder,
    ports,
    prometheusConfigFolder,
    brokerSettings: BROKER_SETTINGS,
    endsOnSignal: true,
  });
  shutdownHooks.push(() => stack.stop({ purge: true }));
  const managementUrl = Object.assign(new URL(stack.managementUrl ?? ''), GUEST).href;
  const system = await startSystem({
    amqpUrl: stack.amqpUrl,
    managementUrl,
    ports,
    mongodbUrl: new URL('/fit', stack.mongodbUrl).href,
    folder: resolve(folder, 'logs'),
    env: { ...ENVIRONMENT, PROMETHEUS_URL: stack.prometheusUrl ?? '' },
  });
  shutdownHooks.push(() => system.stop());
  const client = () => system.client;
  const load = await SteadyLoad.start(client, LOAD_PER_SECOND);
  shutdownHooks.push(() => {
    load.stop();
    return undefined;
  });
  return { stack, system, sink, load, managementUrl, log };
}

async function renderMonitoring(
  ports: StackPorts,
  sink: AlertSink,
  shutdownHooks: ShutdownHooks,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-alerts-'));
  shutdownHooks.push(() => rm(folder, { recursive: true, force: true }));
  await writeMonitoringConfig(folder, {
    declaration: readFitTopology(ENVIRONMENT),
    targets: nativeTargets(ports),
    windows: SHORT_WINDOWS,
    receivers: {
      critical: { webhookUrl: sink.urlOf('critical') },
      warning: { webhookUrl: sink.urlOf('warning') },
      watchdogUrl: sink.urlOf('watchdog'),
    },
  });
  return folder;
}

const TICK_MS = 1_000;
const USER_COUNT = 900;
const FIRST_DAY_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

/** Requests jobs at a steady rate, since rates and ratios are measured. */
export class SteadyLoad {
  readonly #client: () => FitClient;
  readonly #userIds = sampleUsers(USER_COUNT).map(({ id }) => id);
  readonly #timer: NodeJS.Timeout;
  #requestedCount = 0;
  /** Jobs per second; may be changed at any time. */
  perSecond: number;

  private constructor(client: () => FitClient, perSecond: number) {
    this.#client = client;
    this.perSecond = perSecond;
    this.#timer = setInterval(() => void this.#request(this.perSecond), TICK_MS);
  }

  static async start(client: () => FitClient, perSecond: number): Promise<SteadyLoad> {
    await client().createUsers(sampleUsers(USER_COUNT));
    return new SteadyLoad(client, perSecond);
  }

  /** Requests so many jobs at once, in addition to the steady ones. */
  async burst(count: number): Promise<void> {
    for (let rest = count; rest > 0; rest -= USER_COUNT)
      await this.#request(Math.min(rest, USER_COUNT));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A user has one job per day, so each round over the users takes the next day. */
  async #request(count: number): Promise<void> {
    for (let rest = count; rest > 0; ) {
      const index = this.#requestedCount % USER_COUNT;
      const day = Math.floor(this.#requestedCount / USER_COUNT);
      const userIds = this.#userIds.slice(index, index + rest);
      this.#requestedCount += userIds.length;
      rest -= userIds.length;
      const date = new Date(FIRST_DAY_MS + day * DAY_MS).toISOString().slice(0, 10);
      try {
        await this.#client().generateWods({ date, userIds });
      } catch {
        // A refusal or no answer is expected while the monolith or its database is down.
      }
    }
  }
}
