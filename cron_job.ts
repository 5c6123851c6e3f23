/**
 * Asks the monolith for everyone's workout, daily, and waits until every one is stored.
 *
 * `npm run cron` stays and fires by CRON_SCHEDULE; `npm run cron -- --once` does one run, for any other scheduler.
 * The slot is the idempotency key: two of these at once, or one that fires twice, make one run.
 */
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { awaitReady, FitClient, FitRequestError, followRun } from '@fit/client';
import { ConfigError, dayIn, isCalendarDay, readCronConfig } from '@fit/contract';
import { planAt, ScheduleError, type Slot, Slots } from '@fit/contract/slots';
import { createMetrics, Health, type MetricSet, serveOperations } from '@fit/service';
import { readSecretFile } from '@fit/service/secret-file';
import { type Job, scheduleJob } from 'node-schedule';

const USAGE = `npm run cron -- [--once [--date YYYY-MM-DD] [--again]] [--retire] [--help]

  --once   one run for today in CRON_TIMEZONE, then exit: 0 every workout exists, 2 some do not, 1 error
  --date   the day to make workouts for
  --again  a further run for that day, for members who joined since; nobody gets a second workout
  --retire  no daily run is expected any more, where cron shall not come back: CronOverdue ends

  FIT_URL           the monolith, default http://127.0.0.1:12100
  FIT_ADMIN_TOKEN   its bearer token; or FIT_ADMIN_TOKEN_FILE, default .fit/admin-token
  CRON_SCHEDULE     cron expression, default 0 5 * * *
  CRON_TIMEZONE     IANA name, default UTC
  CRON_WAIT_MS      how long to wait for a run, default 3600000 (one hour)
  CRON_CATCH_UP_MS  a slot that was missed is asked for at start where it is no older, default 86400000 (a day); 0: never
  HOST, METRICS_PORT  where /metrics, /livez and /readyz are served while it stays, default 127.0.0.1, 12115`;

interface Config {
  readonly client: FitClient;
  readonly schedule: string;
  readonly timezone: string;
  readonly slots: Slots;
  readonly waitMs: number;
  readonly catchUpMs: number;
  readonly host: string;
  readonly metricsPort: number;
}

interface RunRequest {
  readonly date: string;
  readonly key: string;
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const RETRY_MS = 2_000;
/** Then it is asked all the same: without its broker the monolith still records what it is asked for. */
const READY_WAIT_MS = 60_000;
const CLOCK_CHECK_MS = 60_000;
/** A slot of this age was fired by the timer, not missed: it is asked for even where CRON_CATCH_UP_MS is 0. */
const ON_TIME_MS = 2 * CLOCK_CHECK_MS;
/** How much longer than CRON_WAIT_MS after its slot a daily run may take before it is overdue. */
const OVERDUE_GRACE_MS = 300_000;
/** Of a whole stop: longer than the five seconds that the port of metrics and health waits for its answers. */
const CLOSE_MS = 7_000;

/** What ends with the process, in the reverse order of its start. */
const shutdownHooks: (() => Promise<void> | void)[] = [];
const stopping = new AbortController();
// First of all: the first process of a container ignores a signal that it has no listener for.
for (const signal of STOP_SIGNALS) process.on(signal, () => void stop(signal));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      date: { type: 'string' },
      again: { type: 'boolean', default: false },
      retire: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  if (values.date !== undefined && !isCalendarDay(values.date))
    throw new Error(`--date '${values.date}' is no calendar day`);
  const config = await readConfig();
  if (values.retire) {
    await config.client.expectDailyRun(undefined);
    say('no daily run is expected any more, until cron runs again');
    return;
  }
  if (!values.once) {
    await serve(config);
    return;
  }
  const date = values.date ?? dayIn(config.timezone, new Date());
  const key = values.again ? `cron:${date}:${crypto.randomUUID()}` : `cron:${date}`;
  process.exitCode = (await runOnce(config, { date, key })) ? 0 : 2;
}

/** The staying process ends with 0, since it was asked to; one run that was cut off with that of its signal. */
async function stop(signal: (typeof STOP_SIGNALS)[number]): Promise<void> {
  if (stopping.signal.aborted) process.exit(1);
  stopping.abort();
  say('stopping; a run that was accepted goes on without this process');
  const isStaying = shutdownHooks.length > 0;
  setTimeout(() => process.exit(1), CLOSE_MS);
  for (const hook of shutdownHooks.reverse())
    try {
      await hook();
    } catch (error) {
      say(`a part did not stop cleanly: ${messageOf(error)}`);
    }
  process.exit(isStaying ? 0 : 128 + constants.signals[signal]);
}

/** Fires by the schedule. A slot that passed while nothing ran is caught up at start: asking again is free. */
async function serve(config: Config): Promise<void> {
  const { slots, schedule, timezone } = config;
  const metrics = createMetrics('cron');
  const expectation = new Expectation(config);
  const fire = async (slot: Slot) => {
    if (await runCounted(config, metrics, slot)) expectation.ended(slot);
  };
  metrics.readAtScrape('cron_next_run_timestamp_seconds', {}, () => nextSeconds(slots));
  shutdownHooks.push(keepSchedule(slots, config.catchUpMs, (slot) => void fire(slot)));
  await watchCron(config, metrics);
  const { due, tooOld, next } = planAt(slots, new Date(), config.catchUpMs);
  say(`schedule '${schedule}' in ${timezone}; next ${describe(next)}`);
  if (due === undefined) expectation.begins(next);
  else expectation.beginsWhereNoneIs(due);
  if (due !== undefined) {
    say(
      `asking for the last slot, ${describe(due)}, in case it was missed: it is no older than CRON_CATCH_UP_MS=${config.catchUpMs}`,
    );
    void fire(due);
  } else if (tooOld !== undefined)
    say(
      `the last slot, ${describe(tooOld)}, is not asked for: it is older than CRON_CATCH_UP_MS=${config.catchUpMs}`,
    );
}

/**
 * Waits for one slot after the other. node-schedule gets each as a date; besides, the clock is looked at every minute, since
 * timers count the time that the machine runs and not the time of day: after a suspend or a step of the clock they fire late.
 * A slot that fires late is asked for under its own key and day.
 * @returns ends the waiting.
 */
function keepSchedule(slots: Slots, catchUpMs: number, fire: (slot: Slot) => void): () => void {
  let awaited: Slot | undefined;
  let job: Job | null = null;
  const waitFor = (slot: Slot | undefined) => {
    job?.cancel();
    awaited = slot;
    // It takes no date that has passed; the look at the clock finds such a slot.
    job = slot === undefined ? null : scheduleJob(slot.at, check);
  };
  const check = () => {
    const now = new Date();
    const hasCome = awaited !== undefined && awaited.at <= now;
    const { due, tooOld, next } = planAt(slots, now, Math.max(catchUpMs, ON_TIME_MS));
    // Other than awaited without having come: the clock was set back.
    if (next?.at.getTime() !== awaited?.at.getTime()) waitFor(next);
    if (!hasCome) return;
    if (due !== undefined) fire(due);
    else if (tooOld !== undefined)
      say(`slept through ${describe(tooOld)}: it is older than CRON_CATCH_UP_MS=${catchUpMs}`);
  };
  waitFor(slots.next(new Date()));
  const clock = setInterval(check, CLOCK_CHECK_MS);
  return () => {
    clearInterval(clock);
    job?.cancel();
  };
}

/** Metrics and health. A port that is taken is told, and the daily run goes on: it matters more. */
async function watchCron(config: Config, metrics: MetricSet): Promise<void> {
  const { client, slots, host, metricsPort: port } = config;
  const ready = {
    monolith: () => client.unreadiness(),
    schedule: () => (nextSeconds(slots) > 0 ? undefined : 'never fires again'),
  };
  try {
    const health = new Health({ stopping: stopping.signal, ready });
    const operations = await serveOperations({
      host,
      port,
      metrics,
      health,
      onDefect: (error, path) => {
        say(`no answer to ${path}: ${messageOf(error)}`);
      },
    });
    shutdownHooks.push(() => operations.close());
    say(`metrics and health on ${operations.url}`);
  } catch (error) {
    say(`no metrics and no health: ${messageOf(error)}`);
  }
}

/** @returns when the schedule fires next, in seconds; 0 for never. */
function nextSeconds(slots: Slots): number {
  const next = slots.next(new Date());
  return next === undefined ? 0 : next.at.getTime() / 1_000;
}

/**
 * Tells the monolith by when the next daily run must have ended; CronOverdue fires past that. The monolith keeps it, so that
 * the alert outlives this process, and a run that does not end leaves the former time standing.
 */
class Expectation {
  readonly #config: Config;
  /** Of what was told last, or is being told: older news are dropped. */
  #newest = 0;
  #endedAtMs = 0;

  constructor(config: Config) {
    this.#config = config;
  }

  /**
   * Nothing is to be caught up, so the next slot is the first that is expected. A time that has passed stays: its run was
   * missed, and only a run that ends may end CronOverdue.
   */
  begins(next: Slot | undefined): void {
    const { client } = this.#config;
    void this.#tell(async () => {
      const standing = await client.dailyRunDueBy();
      if (standing === undefined || standing.getTime() > Date.now())
        await client.expectDailyRun(this.#dueBy(next));
    });
  }

  /** A slot is asked for. An earlier time that stands is one that was missed, and stays until a run ends. */
  beginsWhereNoneIs(slot: Slot): void {
    const { client } = this.#config;
    void this.#tell(async () => {
      if ((await client.dailyRunDueBy()) === undefined)
        await client.expectDailyRun(this.#dueBy(slot));
    });
  }

  /** Every job of its run has an end, done or dead. Runs may end in another order than they began. */
  ended(slot: Slot): void {
    if (slot.at.getTime() < this.#endedAtMs) return;
    this.#endedAtMs = slot.at.getTime();
    const { client, slots } = this.#config;
    void this.#tell(() => client.expectDailyRun(this.#dueBy(slots.next(slot.at))));
  }

  #dueBy(slot: Slot | undefined): Date | undefined {
    return slot && new Date(slot.at.getTime() + this.#config.waitMs + OVERDUE_GRACE_MS);
  }

  /** Repeated until the monolith answers, or there is newer news. */
  async #tell(request: () => Promise<void>): Promise<void> {
    this.#newest += 1;
    const own = this.#newest;
    while (own === this.#newest && !stopping.signal.aborted)
      try {
        await request();
        return;
      } catch (error) {
        if (error instanceof FitRequestError && error.status < 500) {
          say(`CronOverdue cannot tell when this process ends: ${error.message}`);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
  }
}

/** @returns whether the run has ended. */
async function runCounted(config: Config, metrics: MetricSet, slot: Slot): Promise<boolean> {
  const startedAt = performance.now();
  try {
    const isComplete = await runOnce(config, {
      date: slot.day,
      key: `cron:${slot.at.toISOString()}`,
    });
    metrics.add('cron_runs_total', { outcome: isComplete ? 'complete' : 'incomplete' });
    if (isComplete) metrics.set('cron_last_success_timestamp_seconds', {}, Date.now() / 1_000);
    return true;
  } catch (error) {
    metrics.add('cron_runs_total', { outcome: 'failed' });
    say(`failed, the next slot tries again: ${messageOf(error)}`);
    return false;
  } finally {
    metrics.observe('cron_run_duration_seconds', {}, (performance.now() - startedAt) / 1_000);
  }
}

/** @returns whether every workout of the run exists. */
async function runOnce(config: Config, request: RunRequest): Promise<boolean> {
  const { client, waitMs } = config;
  const accepted = await acceptedRun(config, request);
  const { runId, total, created, skipped } = accepted;
  say(
    `run ${runId} for ${request.date}: ${total} members, ${created} new jobs, ${skipped} there before`,
  );
  const status = await followRun({ client, runId, waitMs, onProgress: say });
  const done = status.states['done'] ?? 0;
  if (done === status.total) say(`every workout of ${request.date} is stored: ${done}`);
  else
    say(
      `${status.total - done} of ${status.total} are missing: see GET /runs/${runId}, then npm run replay`,
    );
  return done === status.total;
}

/** Repeated until it is accepted: under the same key that can never start a second run. */
async function acceptedRun({ client, waitMs }: Config, { date, key }: RunRequest) {
  const deadline = Date.now() + waitMs;
  const isReady = await awaitReady({
    client,
    waitMs: Math.min(READY_WAIT_MS, waitMs),
    onProgress: say,
  });
  if (!isReady) say('it is asked all the same: what it accepts is kept, and done later');
  for (;;) {
    try {
      return await client.generateWods({ date }, key);
    } catch (error) {
      const isRefused = error instanceof FitRequestError && error.status < 500;
      if (isRefused || Date.now() > deadline) throw error;
      say(`the monolith does not accept work yet (${String(error)}); trying again`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** @throws ConfigError naming every variable at fault, with its value and what would be right. */
async function readConfig(): Promise<Config> {
  const { fitUrl, adminToken, adminTokenFile, ...config } = readCronConfig(
    process.env,
    problemOfSchedule,
  );
  const token = adminToken ?? (await readSecretFile(adminTokenFile, say));
  if (token === undefined)
    throw new ConfigError([
      `no admin token: set FIT_ADMIN_TOKEN, or start the monolith, which writes ${adminTokenFile}`,
    ]);
  const slots = new Slots(config.schedule, config.timezone);
  return { ...config, slots, client: new FitClient(fitUrl, token) };
}

/** Looked at in UTC, so that a time zone that is wrong hides no fault of the schedule. */
function problemOfSchedule(schedule: string): string | undefined {
  try {
    new Slots(schedule, 'UTC');
    return undefined;
  } catch (error) {
    if (error instanceof ScheduleError) return error.message;
    throw error;
  }
}

/** @returns '2026-11-29T05:00:00.000Z for 2026-11-29'. */
function describe(slot: Slot | undefined): string {
  return slot === undefined ? 'never' : `${slot.at.toISOString()} for ${slot.day}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function say(line: string): void {
  process.stdout.write(`${new Date().toISOString()} ${line}\n`);
}

try {
  await main();
} catch (error) {
  say(messageOf(error));
  process.exitCode = 1;
}
