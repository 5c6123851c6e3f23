/** Four whole systems on one broker and one database, each in rooms of its own, all warm; one works at a time. */
import { resolve } from 'node:path';
import { type Stack, type System, startSystem } from '@fit/stack';
import { type Db, MongoClient } from 'mongodb';
import { measureFit } from '../measureFit.ts';
import { openManagement } from '../topology/management.ts';
import { type Collector, openCollector } from './collector.ts';
import { cpuTimeMs } from './cpuTime.ts';
import { scrape } from './scrape.ts';
import { environmentOf, VARIANTS, type Variant } from './variant.ts';

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

export interface Arena {
  /** @param day counted from 0; another one for each call, since a member gets one workout a day. */
  measure(variant: Variant, day: number): Promise<Figures>;
  close(): Promise<void>;
}

interface Stand {
  readonly system: System;
  readonly database: Db;
}

const WARM_UP_RUNS = 2;
/** The batch processor sends what it has once a second. */
const LAST_SPANS_MS = 1_500;

export async function openArena(stack: Stack, userCount: number): Promise<Arena> {
  const client = new MongoClient(stack.mongodbUrl);
  const collector = await openCollector();
  const stands = new Map<Variant, Stand>();
  const close = async () => {
    for (const { system } of stands.values()) await system.stop();
    await client.close();
    await collector.close();
  };
  const measure: Arena['measure'] = async (variant, day) => {
    const stand = stands.get(variant);
    if (stand === undefined) throw new Error(`no system runs for '${variant}'`);
    return await measureStand(stand, { collector, variant, userCount, day });
  };
  try {
    for (const variant of VARIANTS)
      stands.set(variant, await openStand(stack, client, { variant, collectorUrl: collector.url }));
    // Enough for the compiler to have seen every path, and in the order of the rounds.
    for (let day = 0; day < WARM_UP_RUNS; day += 1)
      for (const variant of VARIANTS) await measure(variant, day);
  } catch (error) {
    await close();
    throw error;
  }
  return { measure: (variant, day) => measure(variant, day + WARM_UP_RUNS), close };
}

async function openStand(
  stack: Stack,
  client: MongoClient,
  { variant, collectorUrl }: { variant: Variant; collectorUrl: string },
): Promise<Stand> {
  const management = openManagement(stack);
  const user = encodeURIComponent(management.user);
  await management.ask('PUT', `/api/vhosts/${variant}`, {});
  await management.ask('PUT', `/api/permissions/${variant}/${user}`, {
    ...{ configure: '.*', write: '.*', read: '.*' },
  });
  const system = await startSystem({
    amqpUrl: new URL(`/${variant}`, stack.amqpUrl).href,
    managementUrl: stack.managementUrl,
    mongodbUrl: new URL(`/${variant}`, stack.mongodbUrl).href,
    folder: resolve(import.meta.dirname, `../../../.stack/bench-${process.pid}/logs/${variant}`),
    env: environmentOf(variant, collectorUrl),
  });
  return { system, database: client.db(variant) };
}

interface Task {
  readonly collector: Collector;
  readonly variant: Variant;
  readonly userCount: number;
  readonly day: number;
}

async function measureStand({ system, database }: Stand, task: Task): Promise<Figures> {
  const { collector, variant, userCount, day } = task;
  const pids = [system.monolith, ...system.coaches].map(({ child }) => child.pid);
  const before = { cpuMs: cpuTimeMs(pids), spanCount: collector.spanCount };
  const scraping = scrape(system);
  const date = new Date(Date.UTC(2026, 0, 1 + day)).toISOString().slice(0, 10);
  const { perSecondFromRequest } = await measureFit(system, database, { userCount, date });
  const metricsBytes = await scraping.stop();
  // Before the next one is measured, or it would pay for these spans.
  if (variant === 'traced' || variant === 'complete')
    await new Promise((settle) => setTimeout(settle, LAST_SPANS_MS));
  const thousands = userCount / 1_000;
  return {
    perSecond: perSecondFromRequest,
    cpuMsPerThousand: Math.round((cpuTimeMs(pids) - before.cpuMs) / thousands),
    spansPerJob: (collector.spanCount - before.spanCount) / userCount,
    metricsBytes,
  };
}
