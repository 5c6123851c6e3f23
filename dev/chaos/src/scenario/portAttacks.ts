/** Attacks on every port of the services while runs are made: no process ends, grows or keeps connections open. */
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { countOpenFiles, MemoryWatch, median, readMemory, round } from '@fit/bench';
import { WODS_COLLECTION, type WodDocument, wodIdsOf } from '@fit/contract';
import { type Service, sampleUsers } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { execa } from 'execa';
import { mismatch } from '../ledger/mismatch.ts';
import { FIRST_DATE, TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';

const ATTACKER = resolve(import.meta.dirname, '../attack/portAttacker.ts');
const SINK = resolve(import.meta.dirname, '../attack/connectionSink.ts');
const ATTACK_SECONDS = 300;
/** The same attack on a sink, to know what the attack alone costs the machine. */
const SINK_SECONDS = 30;
const SETTLE_MS = 5_000;
const RUN_TIMEOUT_MS = 300_000;
const MEMORY_RATIO_LIMIT = 1.5;
const SPEED_RATIO_MINIMUM = 0.5;
/** Connections of health checks and scrapes come and go. */
const OPEN_FILES_TOLERANCE = 20;
const CLOSED_WITHIN_MS = 60_000;
const BYTES_PER_MIB = 1_024 * 1_024;
const DAY_MS = 86_400_000;

export const portAttacks: Scenario = {
  name: 'port-attacks',
  description: `${ATTACK_SECONDS} s of attacks on all ports (--seconds): no process ends or grows, runs go on`,
  execute: async ({ userCount = 2_000, attackSeconds = ATTACK_SECONDS, report }) =>
    await TestEnvironment.with({ env: {}, coachCount: 1, report }, async (environment) => {
      const { system } = environment;
      const services = [system.monolith, ...system.coaches];
      const pids = services.map(({ child }) => child.pid);
      const exits: string[] = [];
      for (const { name, child } of services)
        void child.exited.then(({ code, signal }) =>
          exits.push(
            `${name} ended during the attack: code ${String(code)}, signal ${String(signal)}`,
          ),
        );
      const dailyRuns = new DailyRuns(environment, userCount);
      await environment.client.createUsers(sampleUsers(userCount));
      report(`warm-up: ${await dailyRuns.runNext()} jobs/s without an attack`);
      await delay(SETTLE_MS);
      const startBytes = pids.map((pid) => readMemory(pid).residentBytes);
      const startFiles = pids.map(countOpenFiles);

      const sinkSpeeds = await withProgram(SINK, [String(2 * services.length)], async (stdout) =>
        withAttacker(await readPorts(stdout), () => dailyRuns.runFor(SINK_SECONDS)),
      );
      const sinkSpeed = median(sinkSpeeds);
      report(`${sinkSpeed} jobs/s beside the attack on a sink`);

      const ports = services.flatMap(({ url, metricsUrl }) =>
        [url, metricsUrl].map((address) => new URL(address).port),
      );
      const { speeds, peakBytes } = await withAttacker(ports, async () => {
        using memory = new MemoryWatch(pids);
        return { speeds: await dailyRuns.runFor(attackSeconds), peakBytes: memory.peakBytes };
      });
      const speed = median(speeds);
      report(`${speed} jobs/s under attack, ${speeds.length} runs of ${userCount} jobs`);
      const leaks = await waitForClosedFiles(services, startFiles);

      const memoryRatios = peakBytes.map((peak, index) => round(peak / (startBytes[index] ?? 1)));
      const consistency = await environment.checkConsistency();
      return {
        consistency,
        figures: {
          seconds: attackSeconds,
          runs: speeds.length,
          sinkSpeed,
          speed,
          speedRatio: round(speed / sinkSpeed),
          ...Object.fromEntries(
            services.flatMap(({ name }, index) => [
              [`${name} start MiB`, Math.round((startBytes[index] ?? 0) / BYTES_PER_MIB)],
              [`${name} peak ratio`, memoryRatios[index] ?? 0],
            ]),
          ),
        },
        failures: [
          ...exits,
          ...leaks,
          ...services.flatMap(({ name }, index) => {
            const ratio = memoryRatios[index] ?? 0;
            return ratio < MEMORY_RATIO_LIMIT
              ? []
              : [`${name} grew to ${ratio} times its start; the limit is ${MEMORY_RATIO_LIMIT}`];
          }),
          ...(speed >= SPEED_RATIO_MINIMUM * sinkSpeed
            ? []
            : [
                `${speed} jobs/s, less than ${SPEED_RATIO_MINIMUM} of ${sinkSpeed} beside the sink`,
              ]),
          ...brokenGuarantees(consistency),
          ...mismatch('workouts', consistency.workouts, consistency.accepted),
        ],
      };
    }),
};

/** Requests one day's run after the other, each for the same users. */
class DailyRuns {
  readonly #environment: TestEnvironment;
  readonly #userCount: number;
  #dayNumber = 0;

  constructor(environment: TestEnvironment, userCount: number) {
    this.#environment = environment;
    this.#userCount = userCount;
  }

  /** @returns the speed of each run in jobs per second; at least one run. */
  async runFor(seconds: number): Promise<number[]> {
    const endMs = performance.now() + seconds * 1_000;
    const speeds: number[] = [];
    do {
      const speed = await this.runNext();
      speeds.push(speed);
      this.#environment.report(`${speed} jobs/s in run ${speeds.length}`);
    } while (performance.now() < endMs);
    return speeds;
  }

  /** @returns jobs per second, from the request to the last stored workout, as read from the database. */
  async runNext(): Promise<number> {
    const date = new Date(Date.parse(FIRST_DATE) + this.#dayNumber * DAY_MS)
      .toISOString()
      .slice(0, 10);
    this.#dayNumber += 1;
    const startedAtMs = performance.now();
    await this.#requestUntilAccepted(date);
    const workouts = this.#environment.database.collection<WodDocument>(WODS_COLLECTION);
    const countStored = () => workouts.countDocuments({ _id: wodIdsOf(date) });
    await eventually(async () => (await countStored()) >= this.#userCount, {
      deadlineMs: RUN_TIMEOUT_MS,
      intervalMs: 200,
      describe: async () => `${await countStored()} of ${this.#userCount} workouts of ${date}`,
    });
    return Math.round(this.#userCount / ((performance.now() - startedAtMs) / 1_000));
  }

  /** Repeats the request with the same idempotency key until it is answered, as cron does. */
  async #requestUntilAccepted(date: string): Promise<void> {
    await eventually(
      async () => await this.#environment.requestRun(this.#userCount, date, `port-attacks:${date}`),
      {
        deadlineMs: RUN_TIMEOUT_MS,
        intervalMs: 200,
        describe: () => `the run of ${date} was not accepted`,
      },
    );
  }
}

/**
 * Runs a program of this campaign beside `work` and kills it afterwards.
 * @throws Error if the program ends by itself: then `work` is not done beside it.
 */
async function withProgram<Result>(
  path: string,
  args: readonly string[],
  work: (stdout: Readable) => Promise<Result>,
): Promise<Result> {
  const program = execa(process.execPath, [path, ...args], {
    buffer: false,
    reject: false,
    stderr: 'inherit',
    stdin: 'ignore',
  });
  const endedEarly = program.then((): never => {
    throw new Error(`${path} ended by itself, so nothing was measured beside it`);
  });
  try {
    return await Promise.race([work(program.stdout), endedEarly]);
  } finally {
    endedEarly.catch(() => undefined);
    program.kill('SIGKILL');
    await program;
  }
}

async function withAttacker<Result>(
  ports: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  return await withProgram(ATTACKER, ports, work);
}

/** @returns the ports that the sink prints when it listens. */
async function readPorts(stdout: Readable): Promise<string[]> {
  const [line] = (await once(createInterface(stdout), 'line')) as [string];
  return (JSON.parse(line) as number[]).map(String);
}

/** @returns a sentence for each service that still has more open files than before, a minute after the attack. */
async function waitForClosedFiles(
  services: readonly Service[],
  startFiles: readonly number[],
): Promise<string[]> {
  const findLeaks = () =>
    services.flatMap(({ name, child }, index) => {
      const before = startFiles[index] ?? 0;
      const now = countOpenFiles(child.pid);
      return now <= before + OPEN_FILES_TOLERANCE
        ? []
        : [`${name} has ${now} open files, ${before} at the start`];
    });
  try {
    await eventually(() => findLeaks().length === 0, {
      deadlineMs: CLOSED_WITHIN_MS,
      intervalMs: 200,
      describe: () => findLeaks().join('; '),
    });
    return [];
  } catch (error) {
    return [String(error)];
  }
}
