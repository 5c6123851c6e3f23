/** One system in rooms of its own on a shared broker and database; it sleeps while another one is measured. */
import { resolve } from 'node:path';
import { type Stack, type System, startSystem } from '@fit/stack';
import type { Db, MongoClient } from 'mongodb';
import { measureFit } from '../measureFit.ts';
import { openManagement } from '../topology/management.ts';
import type { Collector } from './collector.ts';
import { cpuTimeMs } from './cpuTime.ts';
import { scrape } from './scrape.ts';
import { environmentOf, type Variant } from './variant.ts';

export interface Figures {
  /** Jobs per second, from sending the request to the last workout stored. */
  readonly perSecond: number;
  /** Of monolith and coach together. */
  readonly cpuMsPerThousand: number;
  /** Spans that reached the collector. */
  readonly spansPerJob: number;
  /** The larger of the two pages that were scraped. */
  readonly metricsBytes: number;
}

export interface Stand {
  /**
   * Wakes the system, has it do one run, and puts it to sleep again.
   * @param date of the run; another one for each call.
   */
  measure(date: string): Promise<Figures>;
  stop(): Promise<void>;
}

export interface StandOptions {
  readonly stack: Stack;
  readonly client: MongoClient;
  readonly collector: Collector;
  readonly variant: Variant;
  readonly userCount: number;
}

/** The last spans are sent within it; the next one measured shall not pay for them. All wait, for being idle costs too. */
const REST_MS = 1_500;

/** Starts the system and puts it to sleep. */
export async function openStand(options: StandOptions): Promise<Stand> {
  const { stack, client, collector, variant } = options;
  await openVirtualHost(stack, variant);
  const system = await startSystem({
    amqpUrl: new URL(`/${variant}`, stack.amqpUrl).href,
    managementUrl: stack.managementUrl,
    mongodbUrl: new URL(`/${variant}`, stack.mongodbUrl).href,
    folder: resolve(import.meta.dirname, `../../../../.stack/bench-${process.pid}/logs/${variant}`),
    env: environmentOf(variant, collector.url),
  });
  signal(system, 'SIGSTOP');
  return {
    measure: async (date) => {
      signal(system, 'SIGCONT');
      try {
        return await measureRun(system, client.db(variant), { ...options, date });
      } finally {
        signal(system, 'SIGSTOP');
      }
    },
    stop: async () => {
      // Asleep it would not hear that it shall stop.
      signal(system, 'SIGCONT');
      await system.stop();
    },
  };
}

async function openVirtualHost(stack: Stack, name: string): Promise<void> {
  const management = openManagement(stack);
  const user = encodeURIComponent(management.user);
  await management.ask('PUT', `/api/vhosts/${name}`, {});
  await management.ask('PUT', `/api/permissions/${name}/${user}`, {
    configure: '.*',
    write: '.*',
    read: '.*',
  });
}

/**
 * Asleep, because idle systems ask the broker and the database every few seconds, and that showed as 10 % of somebody's
 * time. A minute of sleep is less than any heartbeat forgives, and each holds its leases against nobody.
 */
function signal(system: System, name: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of pidsOf(system)) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended by itself; the run that asks it says so, and what is left must still be stopped.
    }
  }
}

function pidsOf({ monolith, coaches }: System): number[] {
  return [monolith, ...coaches].map(({ child }) => child.pid);
}

async function measureRun(
  system: System,
  database: Db,
  { collector, userCount, date }: StandOptions & { readonly date: string },
): Promise<Figures> {
  const pids = pidsOf(system);
  const before = { cpuMs: cpuTimeMs(pids), spanCount: collector.spanCount };
  const scraping = scrape(system);
  const { perSecondFromRequest } = await measureFit(system, database, { userCount, date });
  const metricsBytes = await scraping.stop();
  await new Promise((settle) => setTimeout(settle, REST_MS));
  return {
    perSecond: perSecondFromRequest,
    cpuMsPerThousand: Math.round((cpuTimeMs(pids) - before.cpuMs) / (userCount / 1_000)),
    spansPerJob: (collector.spanCount - before.spanCount) / userCount,
    metricsBytes,
  };
}
