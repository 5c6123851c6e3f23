/** Strangers attack every port of the services while the daily run works: nothing ends, grows or stands still. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { WODS_COLLECTION } from '@fit/contract';
import { type Service, sampleUsers } from '@fit/stack';
import { Arena, DAY, pause, until } from '../arena.ts';
import { common, expect, type Scenario } from './scenario.ts';

const ATTACKER = resolve(import.meta.dirname, '../strangers/attacker.ts');
const SINK = resolve(import.meta.dirname, '../strangers/sink.ts');
const ATTACK_SECONDS = 300;
/** Beside the sink, to know what the attack alone costs the machine. */
const SINK_SECONDS = 30;
const SETTLE_MS = 5_000;
const RUN_DEADLINE_MS = 300_000;
const MOST_MEMORY_RATIO = 1.5;
const LEAST_SPEED_RATIO = 0.5;
/** Of open files, once the attack is over: connections of health checks and scrapes come and go. */
const FILE_SLACK = 20;
const MEBIBYTE = 1024 * 1024;

export const strangers: Scenario = {
  name: 'strangers',
  about: `${ATTACK_SECONDS} s of attacks on all ports (--seconds): no process ends or grows, the run goes on`,
  play: async (userCount = 2_000, say, { seconds = ATTACK_SECONDS } = {}) =>
    await Arena.play({ env: {}, coachCount: 1, say }, async (arena) => {
      const { system } = arena;
      const services = [system.monolith, ...system.coaches];
      const ended: string[] = [];
      for (const { name, child } of services)
        void child.exited.then(({ code, signal }) =>
          ended.push(
            `${name} ended during the attack: code ${code ?? '-'}, signal ${signal ?? '-'}`,
          ),
        );
      const runs = new DailyRuns(arena, userCount);
      await runs.prepare();
      say(`warm-up: ${await runs.next()} jobs/s without any attack`);
      await pause(SETTLE_MS);
      const start = await Promise.all(services.map(usageOf));

      const sink = spawn(process.execPath, [SINK, String(2 * services.length)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const sinkSpeeds = await whileAttacking(await portsOf(sink), () => runs.during(SINK_SECONDS));
      await killed(sink);
      const sinkSpeed = median(sinkSpeeds);
      say(`${sinkSpeed} jobs/s beside the attack on a bare sink`);

      const peaks = start.map(({ residentBytes }) => residentBytes);
      const watch = setInterval(() => {
        services.forEach((service, index) => {
          void usageOf(service).then(
            ({ residentBytes }) => (peaks[index] = Math.max(peaks[index] ?? 0, residentBytes)),
            () => undefined,
          );
        });
      }, 500);
      const ports = services.flatMap(({ url, metricsUrl }) =>
        [url, metricsUrl].map((address) => new URL(address).port),
      );
      const speeds = await whileAttacking(ports, () => runs.during(seconds));
      clearInterval(watch);
      const speed = median(speeds);
      say(`${speed} jobs/s under attack, ${speeds.length} runs of ${userCount}`);
      const leaks = await leaksOf(services, start);

      const memoryRatios = services.map((_, index) =>
        round((peaks[index] ?? 0) / (start[index]?.residentBytes ?? 1)),
      );
      const verdict = await arena.verdict();
      return {
        verdict,
        notes: {
          seconds,
          runs: speeds.length,
          sinkSpeed,
          speed,
          speedRatio: round(speed / sinkSpeed),
          ...Object.fromEntries(
            services.flatMap(({ name }, index) => [
              [`${name} start MiB`, Math.round((start[index]?.residentBytes ?? 0) / MEBIBYTE)],
              [`${name} peak ratio`, memoryRatios[index] ?? 0],
            ]),
          ),
        },
        failures: [
          ...ended,
          ...leaks,
          ...services.flatMap(({ name }, index) =>
            (memoryRatios[index] ?? 0) < MOST_MEMORY_RATIO
              ? []
              : [
                  `${name} grew to ${memoryRatios[index]} of its start; at most ${MOST_MEMORY_RATIO}`,
                ],
          ),
          ...(speed >= LEAST_SPEED_RATIO * sinkSpeed
            ? []
            : [`${speed} jobs/s, less than half of ${sinkSpeed} beside the sink`]),
          ...common(verdict),
          ...expect('workouts', verdict.workouts, verdict.accepted),
        ],
      };
    }),
};

/** One day's run after the other, each for the same members. */
class DailyRuns {
  readonly #arena: Arena;
  readonly #userCount: number;
  #dayNumber = 0;

  constructor(arena: Arena, userCount: number) {
    this.#arena = arena;
    this.#userCount = userCount;
  }

  async prepare(): Promise<void> {
    await this.#arena.client.createUsers(sampleUsers(this.#userCount));
  }

  /** @returns the speeds of the runs, in jobs per second; at least one run. */
  async during(seconds: number): Promise<number[]> {
    const endMs = performance.now() + seconds * 1_000;
    const speeds: number[] = [];
    do {
      speeds.push(await this.next());
      this.#arena.say(`${speeds.at(-1) ?? 0} jobs/s in run ${speeds.length}`);
    } while (performance.now() < endMs);
    return speeds;
  }

  /** @returns jobs per second, from the request to the last workout stored, as the database tells it. */
  async next(): Promise<number> {
    const date = new Date(Date.parse(DAY) + this.#dayNumber * 86_400_000)
      .toISOString()
      .slice(0, 10);
    this.#dayNumber += 1;
    const startedAtMs = performance.now();
    await this.#ask(date);
    const wods = this.#arena.database.collection(WODS_COLLECTION);
    const countStored = () => wods.countDocuments({ date });
    await until(async () => (await countStored()) >= this.#userCount, {
      deadlineMs: RUN_DEADLINE_MS,
      describe: async () => `${await countStored()} of ${this.#userCount} workouts of ${date}`,
    });
    return Math.round(this.#userCount / ((performance.now() - startedAtMs) / 1_000));
  }

  /** As cron does: one key, repeated until it is answered. */
  async #ask(date: string): Promise<void> {
    const key = `strangers:${date}`;
    let last: unknown;
    await until(
      async () => {
        try {
          await this.#arena.request(date, this.#userCount, key);
          return true;
        } catch (error) {
          last = error;
          return false;
        }
      },
      { deadlineMs: RUN_DEADLINE_MS, describe: () => Promise.resolve(String(last)) },
    );
  }
}

async function portsOf(sink: ChildProcess): Promise<string[]> {
  if (sink.stdout === null) throw new Error('the sink has no output');
  const [line] = (await once(createInterface(sink.stdout), 'line')) as [string];
  return (JSON.parse(line) as number[]).map(String);
}

async function whileAttacking<Result>(
  ports: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  const attacker = spawn(process.execPath, [ATTACKER, ...ports], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    const result = await work();
    if (attacker.exitCode !== null)
      throw new Error('the attacker ended by itself: nothing was proved');
    return result;
  } finally {
    await killed(attacker);
  }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

interface Usage {
  readonly residentBytes: number;
  readonly openFiles: number;
}

async function usageOf({ child }: Service): Promise<Usage> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  const files = await readdir(`/proc/${child.pid}/fd`);
  return { residentBytes: kibibytes * 1024, openFiles: files.length };
}

/** @returns what is still open a minute after the attack. */
async function leaksOf(services: readonly Service[], start: readonly Usage[]): Promise<string[]> {
  const leaksNow = async () => {
    const usage = await Promise.all(services.map(usageOf));
    return services.flatMap(({ name }, index) => {
      const [before, after] = [start[index]?.openFiles ?? 0, usage[index]?.openFiles ?? 0];
      return after <= before + FILE_SLACK
        ? []
        : [`${name} has ${after} open files, ${before} at the start`];
    });
  };
  try {
    await until(async () => (await leaksNow()).length === 0, {
      deadlineMs: 60_000,
      describe: async () => (await leaksNow()).join('; '),
    });
    return [];
  } catch {
    return await leaksNow();
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
