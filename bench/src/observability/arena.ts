/**
 * Whole systems on one broker and one database, each in rooms of its own, one after the other. Side by side they disturbed
 * each other: idle ones ask the broker and the database every few seconds, and that showed as 10 % of somebody's time.
 */
import { resolve } from 'node:path';
import { type Stack, type System, startSystem } from '@fit/stack';
import { type Db, MongoClient } from 'mongodb';
import { measureFit } from '../measureFit.ts';
import { median } from '../statistics.ts';
import { openManagement } from '../topology/management.ts';
import { type Collector, openCollector } from './collector.ts';
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

export interface Arena {
  /** Starts the system, warms it up, measures it, stops it. */
  measure(variant: Variant): Promise<Figures>;
  close(): Promise<void>;
}

interface Stand {
  readonly system: System;
  readonly database: Db;
}

/** Enough for the compiler to have seen every path. */
const WARM_UP_RUNS = 2;
const MEASURED_RUNS = 3;
/** The batch processor sends what it has once a second. */
const LAST_SPANS_MS = 1_500;

export async function openArena(stack: Stack, userCount: number): Promise<Arena> {
  const client = new MongoClient(stack.mongodbUrl);
  const collector = await openCollector();
  let day = 0;
  const measure: Arena['measure'] = async (variant) => {
    const stand = await openStand(stack, client, { variant, collectorUrl: collector.url });
    try {
      const figures: Figures[] = [];
      for (let run = 0; run < WARM_UP_RUNS + MEASURED_RUNS; run += 1, day += 1)
        figures.push(await measureStand(stand, { collector, variant, userCount, day }));
      return middleOf(figures.slice(WARM_UP_RUNS));
    } finally {
      await stand.system.stop();
    }
  };
  const close = async () => {
    await client.close();
    await collector.close();
  };
  return { measure, close };
}

/** The median of each figure by itself. */
function middleOf(runs: readonly Figures[]): Figures {
  const middle = (figure: keyof Figures) => median(runs.map((run) => run[figure]));
  return {
    perSecond: middle('perSecond'),
    cpuMsPerThousand: middle('cpuMsPerThousand'),
    spansPerJob: middle('spansPerJob'),
    metricsBytes: middle('metricsBytes'),
  };
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
