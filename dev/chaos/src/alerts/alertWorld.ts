/** Everything that runs natively, watched by Prometheus with shortened windows, and a sink behind every receiver. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FitClient } from '@fit/client';
import { readFitTopology } from '@fit/contract';
import { nativeTargets, SHORT_WINDOWS, writeMonitoringConfig } from '@fit/prometheus';
import {
  freePorts,
  type Stack,
  type StackPorts,
  type System,
  startStack,
  startSystem,
} from '@fit/stack';
import { AlertSink } from '@fit/stack/testing';
import { SteadyLoad } from './steadyLoad.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../../..');

/** Small enough that a few hundred jobs are a flood; the third tier long enough for a wave to gather. */
const ENVIRONMENT = { FIT_MAX_LENGTH: '200', FIT_TIERS: '1s,2s,10s' };
/** What a full queue refused is offered again after 180 s by default: no campaign waits so long. */
const BROKER_SETTINGS = { dead_letter_worker_publisher_confirm_timeout: 20_000 };
const LOAD_PER_SECOND = 3;
const GUEST = { username: 'guest', password: 'guest' };

export interface AlertWorld {
  readonly stack: Stack;
  readonly system: System;
  readonly sink: AlertSink;
  readonly load: SteadyLoad;
  /** With name and password. */
  readonly managementUrl: string;
  readonly say: (line: string) => void;
}

type Closes = (() => Promise<unknown> | undefined)[];

/** Opens, plays, closes; nothing is left, whatever happens. */
export async function playInAlertWorld<Result>(
  say: (line: string) => void,
  script: (world: AlertWorld) => Promise<Result>,
): Promise<Result> {
  const closes: Closes = [];
  try {
    return await script(await openWorld(say, closes));
  } finally {
    for (const close of closes.reverse()) await close();
  }
}

async function openWorld(say: (line: string) => void, closes: Closes): Promise<AlertWorld> {
  const name = `alerts-${process.pid}`;
  const folder = resolve(REPOSITORY, '.stack', name);
  const sink = await AlertSink.open();
  closes.push(() => sink.close());
  const ports = await freePorts();
  const prometheusConfigFolder = await renderMonitoring(ports, sink, closes);
  const stack = await startStack({
    name,
    folder,
    ports,
    prometheusConfigFolder,
    brokerSettings: BROKER_SETTINGS,
    endsOnSignal: true,
  });
  closes.push(() => stack.stop({ purge: true }));
  const managementUrl = Object.assign(new URL(stack.managementUrl ?? ''), GUEST).href;
  const system = await startSystem({
    amqpUrl: stack.amqpUrl,
    managementUrl,
    ports,
    mongodbUrl: new URL('/fit', stack.mongodbUrl).href,
    folder: resolve(folder, 'logs'),
    env: { ...ENVIRONMENT, PROMETHEUS_URL: stack.prometheusUrl ?? '' },
  });
  closes.push(() => system.stop());
  const client = () => new FitClient(system.monolith.url, system.adminToken);
  const load = await SteadyLoad.start(client, LOAD_PER_SECOND);
  closes.push(() => {
    load.stop();
    return undefined;
  });
  return { stack, system, sink, load, managementUrl, say };
}

async function renderMonitoring(
  ports: StackPorts,
  sink: AlertSink,
  closes: Closes,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-alerts-'));
  closes.push(() => rm(folder, { recursive: true, force: true }));
  await writeMonitoringConfig(folder, {
    declaration: readFitTopology(ENVIRONMENT),
    targets: nativeTargets(ports),
    windows: SHORT_WINDOWS,
    receivers: {
      page: { webhookUrl: sink.urlOf('page') },
      ticket: { webhookUrl: sink.urlOf('ticket') },
      deadManUrl: sink.urlOf('dead-man'),
    },
  });
  return folder;
}
