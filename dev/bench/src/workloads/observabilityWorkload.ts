/**
 * What metrics, logs and traces cost. Four systems run on the same servers and are measured one after the other, within
 * seconds of each other, and compared within the round.
 */

import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Stack } from '@fit/stack';
import { type SystemUnderTest, startSystemUnderTest, withServers } from '../benchEnvironment.ts';
import { orderOf } from '../interleave.ts';
import { measureRun } from '../measureRun.ts';
import { processorTimeMs } from '../processUsage.ts';
import { openSpanCounter, type SpanCounter } from '../spanCounter.ts';
import type { Comparison, Measurement, Workload } from '../workload.ts';

/**
 * bare: no metrics, no log. watched: metrics, scraped, and logs at info. traced: the same, and the default share of
 * traces. complete: the same, and every trace.
 */
const VARIANTS = ['bare', 'watched', 'traced', 'complete'] as const;
type Variant = (typeof VARIANTS)[number];

/** Share of the bare system's throughput that must remain; the variant complete has no bound. */
const RATIO_BOUNDS = { watched: 0.95, traced: 0.85, complete: undefined } as const;

/**
 * Rounds on the same servers. Broker and database grow slower with every round, and that would hide what is compared if
 * they were never replaced.
 */
const ROUNDS_PER_SERVERS = 8;
/**
 * After two runs of 10,000 jobs metrics still cost a tenth of the throughput, after five nothing that differed from
 * noise: the compiler had not finished.
 */
const WARM_UP_ROUNDS = 5;
/** Both processes send their last spans within this time; the system that is measured next must not pay for them. */
const SPANS_SENT_MS = 1_500;
const SCRAPE_INTERVAL_MS = 5_000;
const DAY_MS = 86_400_000;

interface VariantFigures {
  /** The time from sending the request to the last stored workout. */
  readonly jobsPerSecond: number;
  /** Processor time of monolith and coach together. */
  readonly processorMsPerThousandJobs: number;
  /** Spans that reached the collector. */
  readonly spansPerJob: number;
  /** The size of the larger of the two metrics pages. */
  readonly metricsBytes: number;
}

type Round = Readonly<Record<Variant, VariantFigures>>;

export const observability: Workload<'runs' | 'users'> = {
  name: 'observability',
  description: `what metrics, logs and traces cost, as the throughput of three systems against one without any of them:
  watched has metrics and logs, traced also the default share of traces, complete every trace`,
  options: {
    runs: { description: 'rounds of about half a minute', default: 32 },
    users: { description: 'jobs of each run', default: 10_000 },
  },
  measure: async (settings, report) => {
    const rounds: Round[] = [];
    while (rounds.length < settings.runs)
      await withServers(['rabbitmq', 'gateway'], async (stack) => {
        report('starting four systems and warming them up, about three minutes …');
        await using systems = new ComparedSystems(settings.users);
        await systems.start(stack);
        for (let count = 0; count < WARM_UP_ROUNDS; count += 1) await systems.measure(VARIANTS);
        const end = Math.min(settings.runs, rounds.length + ROUNDS_PER_SERVERS);
        while (rounds.length < end) {
          const round = await systems.measure(orderOf(VARIANTS, rounds.length));
          requireTelemetry(round);
          rounds.push(round);
          report(`round ${rounds.length} of ${settings.runs}: ${JSON.stringify(round)}`);
        }
      });
    return compare(rounds);
  },
};

/** @throws Error if a bare system has metrics, or another one loses its metrics or spans: the ratio would be wrong. */
function requireTelemetry(round: Round): void {
  const { bare, watched, traced, complete } = round;
  if (bare.metricsBytes > 0 || watched.metricsBytes === 0)
    throw new Error(`metrics are not off in bare and on in watched: ${JSON.stringify(round)}`);
  if (traced.spansPerJob === 0 || complete.spansPerJob < 2.9)
    throw new Error(`spans did not reach the collector: ${JSON.stringify(round)}`);
}

function compare(rounds: readonly Round[]): Measurement {
  const comparison = (
    variant: Variant,
    { name, unit, field }: { name: string; unit: string; field: keyof VariantFigures },
  ): Comparison => ({
    name: `${variant}: ${name}`,
    unit,
    measured: rounds.map((round) => round[variant][field]),
    baseline: rounds.map((round) => round.bare[field]),
  });
  return {
    baselineName: 'bare system',
    comparisons: (['watched', 'traced', 'complete'] as const).flatMap((variant) => {
      const bound = RATIO_BOUNDS[variant];
      const throughput = comparison(variant, {
        name: 'throughput',
        unit: 'jobs/s',
        field: 'jobsPerSecond',
      });
      const processorTime = comparison(variant, {
        name: 'processor time of monolith and coach',
        unit: 'ms per 1,000 jobs',
        field: 'processorMsPerThousandJobs',
      });
      if (bound === undefined) return [throughput, processorTime];
      const description = `ratio > ${bound}`;
      const holds = ({ ratio }: { readonly ratio: number }) => ratio > bound;
      return [{ ...throughput, bound: { description, holds } }, processorTime];
    }),
    rounds,
  };
}

/**
 * All variants on the same servers. A system is suspended while another one is measured, because an idle one queries broker
 * and database every few seconds, which took 10 % of the other's time. It is suspended for less than a minute, so no
 * heartbeat fails, and no other process takes its leases.
 */
class ComparedSystems implements AsyncDisposable {
  readonly #userCount: number;
  readonly #systems = new Map<Variant, SystemUnderTest>();
  #spanCounter: SpanCounter | undefined;
  #dayNumber = 0;

  constructor(userCount: number) {
    this.#userCount = userCount;
  }

  async start(stack: Stack): Promise<void> {
    const spanCounter = await openSpanCounter();
    this.#spanCounter = spanCounter;
    for (const variant of VARIANTS) {
      const env = environmentOf(variant, spanCounter.url);
      const tested = await startSystemUnderTest(stack, { name: variant, env });
      this.#systems.set(variant, tested);
      signal(tested, 'SIGSTOP');
    }
  }

  /** @param order in which the systems are measured, one run each. */
  async measure(order: readonly Variant[]): Promise<Round> {
    const date = new Date(Date.UTC(2026, 0, 1) + this.#dayNumber * DAY_MS)
      .toISOString()
      .slice(0, 10);
    this.#dayNumber += 1;
    const figures: Partial<Record<Variant, VariantFigures>> = {};
    for (const variant of order) {
      const tested = this.#systems.get(variant);
      if (tested === undefined) throw new Error(`the system ${variant} was not started`);
      signal(tested, 'SIGCONT');
      try {
        figures[variant] = await this.#measureVariant(tested, date);
      } finally {
        signal(tested, 'SIGSTOP');
      }
    }
    return figures as Round;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#systems.values()].map(async (tested) => {
        // A suspended process would not handle the signal that ends it.
        signal(tested, 'SIGCONT');
        await tested.stop();
      }),
    );
    await this.#spanCounter?.close();
  }

  async #measureVariant(tested: SystemUnderTest, date: string): Promise<VariantFigures> {
    const userCount = this.#userCount;
    const processorMsBefore = processorTimeMs(tested.pids);
    const spanCountBefore = this.#spanCounter?.spanCount ?? 0;
    const scraping = startScraping(tested);
    let jobsPerSecond: number;
    let metricsBytes: number;
    try {
      jobsPerSecond = (await measureRun(tested, { userCount, date })).jobsPerSecondFromRequest;
    } finally {
      metricsBytes = await scraping.stop();
    }
    // In every variant, because being idle takes processor time, too.
    await delay(SPANS_SENT_MS);
    const processorMs = processorTimeMs(tested.pids) - processorMsBefore;
    return {
      jobsPerSecond,
      processorMsPerThousandJobs: Math.round(processorMs / (userCount / 1_000)),
      spansPerJob: ((this.#spanCounter?.spanCount ?? 0) - spanCountBefore) / userCount,
      metricsBytes,
    };
  }
}

/**
 * The bare system still creates the events that nobody listens to: they are part of the jobs library, and without them it
 * would be another program.
 */
function environmentOf(variant: Variant, collectorUrl: string): Record<string, string> {
  switch (variant) {
    case 'bare':
      return {
        LOG_LEVEL: 'silent',
        NODE_OPTIONS: `--import=${resolve(import.meta.dirname, '../metrics-off/disableMetrics.ts')}`,
      };
    case 'watched':
      return { LOG_LEVEL: 'info' };
    case 'traced':
      return { LOG_LEVEL: 'info', OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl };
    case 'complete':
      return {
        LOG_LEVEL: 'info',
        OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl,
        OTEL_TRACES_SAMPLER: 'parentbased_always_on',
      };
  }
}

function signal({ pids }: SystemUnderTest, name: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // The process has ended. The run that needs it fails and reports it; the other processes must still be stopped.
    }
  }
}

interface Scraping {
  /** @returns the size of the largest page in bytes; 0 if nothing is exported. */
  stop(): Promise<number>;
}

/** Reads the metrics of both processes as Prometheus does: at once, then every five seconds, until it is stopped. */
function startScraping({ system }: SystemUnderTest): Scraping {
  const urls = [system.monolith, ...system.coaches].map(({ metricsUrl }) => metricsUrl);
  let largestBytes = 0;
  let lastScrape: Promise<unknown> = Promise.resolve();
  const scrape = () => {
    lastScrape = Promise.all(
      urls.map(async (url) => {
        const page = await (await fetch(url)).text();
        largestBytes = Math.max(largestBytes, page.length);
      }),
    );
  };
  scrape();
  const timer = setInterval(scrape, SCRAPE_INTERVAL_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await lastScrape;
      return largestBytes;
    },
  };
}
