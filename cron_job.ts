/**
 * The daily trigger: requests from the monolith a workout for every user, and waits until all of them are stored.
 *
 * `npm run cron` is long-running and does this at each slot of CRON_SCHEDULE. `npm run cron -- --once` does it once and ends, for
 * another scheduler. What it does, in this order:
 * - at the start: reads the configuration, serves metrics and health, and requests the last slot if it is recent, because
 *   nothing may have been running when it was due;
 * - at each slot: requests a run under the slot's own idempotency key, follows it, counts its outcome;
 * - after each run: reports to the monolith by when the next run must have ended, so that the alert CronOverdue fires
 *   even if this process dies;
 * - at a stop signal: ends at once. A run that the monolith accepted goes on without this process.
 *
 * The idempotency key makes repeating safe: two of these processes, or a slot that is requested twice, make one run.
 */
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { FitClient, followRun, isRepeatable, untilAccepted } from '@fit/client';
import { ConfigError, dayIn, isCalendarDay, readCronConfig } from '@fit/contract';
import { ScheduleError, type Slot, Slots, slotsAround } from '@fit/contract/slots';
import { createMetrics, Health, type MetricSet, serveOperations } from '@fit/service';
import { readSecretFile } from '@fit/service/secret-file';
import { type Job, scheduleJob } from 'node-schedule';

const USAGE = `npm run cron -- [--once [--date YYYY-MM-DD] [--again]] [--retire] [--help]

Requests a workout for every user from the monolith, daily, and waits until all of them are stored.

  (no option)  keep running, and start a run at each slot of CRON_SCHEDULE
  --once       start one run for today in CRON_TIMEZONE, wait for it, and exit
  --date DAY   with --once: the day to make workouts for
  --again      with --once: a further run for that day, for users who joined since; nobody gets a second workout
  --retire     report that no daily run is expected any more, so CronOverdue ends; for a cron that will not come back
  --help       print this text

Exit code of --once: 0 every workout exists, 2 some do not, 1 an error, 128 + number of the signal that stopped it.
The long-running process exits with 0 after SIGTERM, SIGINT or SIGHUP.

  FIT_URL           the monolith, default http://127.0.0.1:12100
  FIT_CRON_SECRET   secret of the account cron; or FIT_CRON_SECRET_FILE, default .fit/cron-secret, whose new content is used
                    without a restart
  CRON_SCHEDULE     cron expression, default 0 5 * * *
  CRON_TIMEZONE     IANA name, default UTC
  CRON_WAIT_MS      how long to wait for a run, in milliseconds, default 3600000 (an hour)
  CRON_CATCH_UP_MS  the last slot is requested at the start if it is at most this old, in milliseconds,
                    default 86400000 (a day); 0: never
  HOST, METRICS_PORT  where /metrics, /livez and /readyz are served by the long-running process, default 127.0.0.1, 12115`;

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
  /** The idempotency key. */
  readonly key: string;
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const CLOCK_CHECK_MS = 60_000;
/** A slot up to this age came while the process was running, so it is requested even if CRON_CATCH_UP_MS is 0. */
const ON_TIME_MS = 2 * CLOCK_CHECK_MS;
/** A daily run is overdue this long after its slot plus CRON_WAIT_MS. */
const OVERDUE_GRACE_MS = 300_000;
/** Deadline of the whole stop. It is longer than the five seconds that the metrics server waits for open replies. */
const STOP_DEADLINE_MS = 7_000;

/** Shutdown hooks of the long-running process; they are stopped in reverse order. */
const shutdownHooks: (() => Promise<void> | void)[] = [];
const stopping = new AbortController();
// The first process of a container ignores a signal without a listener, so the listeners come before everything else.
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
    throw new Error(`--date '${values.date}' is not a calendar day`);
  const config = await readConfig();
  if (values.retire) {
    await config.client.expectDailyRun(undefined);
    log('no daily run is expected any more, until cron runs again');
  } else if (values.once) {
    const date = values.date ?? dayIn(config.timezone, new Date());
    const key = values.again ? `cron:${date}:${crypto.randomUUID()}` : `cron:${date}`;
    process.exitCode = (await run(config, { date, key })) ? 0 : 2;
  } else await runScheduler(config);
}

/** Starts the long-running process: schedule, metrics and health, and the last slot if it is recent. */
async function runScheduler(config: Config): Promise<void> {
  const { slots, schedule, timezone, catchUpMs } = config;
  const metrics = createMetrics('cron');
  const deadline = new RunDeadline(config);
  const requestSlot = async (slot: Slot) => {
    if (await runSlot(config, metrics, slot)) deadline.runEnded(slot);
  };
  shutdownHooks.push(startSchedule(slots, catchUpMs, (slot) => void requestSlot(slot)));
  await serveMetricsAndHealth(config, metrics);

  const { due, tooOld, next } = slotsAround(slots, new Date(), catchUpMs);
  log(`schedule '${schedule}' in ${timezone}; next slot ${describe(next)}`);
  if (due === undefined) {
    deadline.firstSlotIs(next);
    if (tooOld !== undefined)
      log(
        `the last slot, ${describe(tooOld)}, is not requested: it is older than CRON_CATCH_UP_MS=${catchUpMs}`,
      );
    return;
  }
  deadline.slotIsRequested(due);
  log(
    `requesting the last slot, ${describe(due)}, which may have been missed: it is not older than CRON_CATCH_UP_MS=${catchUpMs}`,
  );
  void requestSlot(due);
}

/**
 * Waits for one slot after the other and calls `onSlot` for each. node-schedule gets each slot as a date. Besides, the
 * clock is compared with the slot every minute, because timers count the time that the machine runs: after a suspend, or
 * after the clock was set forward, they fire late. A slot that is noticed late keeps its own key and day.
 * @returns a function that ends the waiting.
 */
function startSchedule(slots: Slots, catchUpMs: number, onSlot: (slot: Slot) => void): () => void {
  let awaited: Slot | undefined;
  let job: Job | null = null;
  const waitFor = (slot: Slot | undefined) => {
    job?.cancel();
    awaited = slot;
    // node-schedule returns null for a date that has passed; the check of the clock notices such a slot.
    job = slot === undefined ? null : scheduleJob(slot.at, checkClock);
  };
  const checkClock = () => {
    const now = new Date();
    const isDue = awaited !== undefined && awaited.at <= now;
    const { due, tooOld, next } = slotsAround(slots, now, Math.max(catchUpMs, ON_TIME_MS));
    // The next slot changes when the awaited one is due, and also when the clock was set back.
    if (next?.at.getTime() !== awaited?.at.getTime()) waitFor(next);
    if (!isDue) return;
    if (due !== undefined) onSlot(due);
    else if (tooOld !== undefined)
      log(
        `the slot ${describe(tooOld)} passed while the machine was suspended: it is older than CRON_CATCH_UP_MS=${catchUpMs}`,
      );
  };
  waitFor(slots.next(new Date()));
  const clock = setInterval(checkClock, CLOCK_CHECK_MS);
  return () => {
    clearInterval(clock);
    job?.cancel();
  };
}

/** Serves metrics and health. If the port is taken, that is logged, and the daily runs go on without them. */
async function serveMetricsAndHealth(config: Config, metrics: MetricSet): Promise<void> {
  const { client, slots, host, metricsPort: port } = config;
  metrics.readAtScrape('cron_next_run_timestamp_seconds', {}, () => nextSlotSeconds(slots));
  const ready = {
    monolith: () => client.unreadiness(),
    schedule: () => (nextSlotSeconds(slots) > 0 ? undefined : 'has no further slot'),
  };
  try {
    const health = new Health({ stopping: stopping.signal, ready });
    const operations = await serveOperations({
      host,
      port,
      metrics,
      health,
      onDefect: (error, path) => {
        log(`GET ${path} failed: ${messageOf(error)}`);
      },
    });
    shutdownHooks.push(() => operations.close());
    log(`metrics and health on ${operations.url}`);
  } catch (error) {
    log(`metrics and health are not served: ${messageOf(error)}`);
  }
}

/** @returns the time of the next slot in seconds since 1970; 0 if there is none. */
function nextSlotSeconds(slots: Slots): number {
  const next = slots.next(new Date());
  return next === undefined ? 0 : next.at.getTime() / 1_000;
}

/** Runs one slot and counts the outcome. @returns whether the run ended, with or without dead jobs. */
async function runSlot(config: Config, metrics: MetricSet, slot: Slot): Promise<boolean> {
  const startedAt = performance.now();
  try {
    const isComplete = await run(config, {
      date: slot.day,
      key: `cron:${slot.at.toISOString()}`,
    });
    metrics.add('cron_runs_total', { outcome: isComplete ? 'complete' : 'incomplete' });
    if (isComplete) metrics.set('cron_last_success_timestamp_seconds', {}, Date.now() / 1_000);
    return true;
  } catch (error) {
    metrics.add('cron_runs_total', { outcome: 'failed' });
    log(`the run failed, and the next slot starts another: ${messageOf(error)}`);
    return false;
  } finally {
    metrics.observe('cron_run_duration_seconds', {}, (performance.now() - startedAt) / 1_000);
  }
}

/**
 * Requests a run and follows it to its end. A monolith that does not answer, or has no database, gets the request again; one
 * that has no broker accepts the run and processes it later.
 * @returns whether every workout of the run is stored.
 * @throws Error if the run is refused, or is not accepted or does not end within CRON_WAIT_MS.
 */
async function run({ client, waitMs }: Config, { date, key }: RunRequest): Promise<boolean> {
  const accepted = await untilAccepted(() => client.generateWods({ date }, key), {
    waitMs,
    onProgress: log,
  });
  const { runId } = accepted;
  log(`run ${runId} for ${date} is accepted`);
  const status = await followRun({ client, runId, waitMs, onProgress: log });
  const { states, created, skipped, total = status.expanded } = status;
  log(`${total} users, ${created} new jobs, ${skipped} jobs existed before`);
  const done = states['done'] ?? 0;
  log(
    done === total
      ? `every workout of ${date} is stored: ${done}`
      : `${total - done} of ${total} workouts are missing: see GET /runs/${runId}, then npm run replay`,
  );
  return done === total;
}

/**
 * Reports to the monolith by when the next daily run must have ended; the alert CronOverdue fires after that moment. The
 * monolith stores it, so the alert fires also if this process died. A run that does not end does not change
 * the deadline, so the deadline passes.
 */
class RunDeadline {
  readonly #config: Config;
  /** Aborted by a newer report, which replaces an older one that the monolith has not answered yet. */
  #reporting = new AbortController();
  #endedSlotMs = 0;

  constructor(config: Config) {
    this.#config = config;
  }

  /**
   * The process started, and the next slot is the first one that it expects. A deadline that has passed is not changed: a run was
   * missed, and only a run that ends may end CronOverdue.
   */
  firstSlotIs(next: Slot | undefined): void {
    const { client } = this.#config;
    this.#report(async () => {
      const current = await client.dailyRunDueBy();
      if (current === undefined || current.getTime() > Date.now())
        await client.expectDailyRun(this.#dueBy(next));
    });
  }

  /** The process started and requests this slot. An earlier deadline belongs to a missed run and is kept until a run ends. */
  slotIsRequested(slot: Slot): void {
    const { client } = this.#config;
    this.#report(async () => {
      if ((await client.dailyRunDueBy()) === undefined)
        await client.expectDailyRun(this.#dueBy(slot));
    });
  }

  /** Every job of the slot's run is done or dead. Runs may end in another order than they started, so older ones are ignored. */
  runEnded(slot: Slot): void {
    if (slot.at.getTime() < this.#endedSlotMs) return;
    this.#endedSlotMs = slot.at.getTime();
    const { client, slots } = this.#config;
    this.#report(() => client.expectDailyRun(this.#dueBy(slots.next(slot.at))));
  }

  #dueBy(slot: Slot | undefined): Date | undefined {
    return slot && new Date(slot.at.getTime() + this.#config.waitMs + OVERDUE_GRACE_MS);
  }

  /** Repeats the request until the monolith answers, or a newer report replaces this one. */
  #report(request: () => Promise<void>): void {
    this.#reporting.abort();
    this.#reporting = new AbortController();
    const signal = AbortSignal.any([stopping.signal, this.#reporting.signal]);
    untilAccepted(request, { signal, shouldRetry: isRepeatable }).catch((error: unknown) => {
      if (!signal.aborted)
        log(
          `the monolith refuses the deadline, so CronOverdue goes by the former one: ${messageOf(error)}`,
        );
    });
  }
}

/** @throws ConfigError that lists every wrong variable with its value and the remedy. */
async function readConfig(): Promise<Config> {
  const { fitUrl, cronSecret, cronSecretFile, ...config } = readCronConfig(
    process.env,
    scheduleFault,
  );
  // Called before each log-in, so a secret that was replaced in its file is used after the first refusal.
  const credentials = async () => {
    const clientSecret = cronSecret ?? (await readSecretFile(cronSecretFile, log));
    if (clientSecret !== undefined) return { clientId: 'cron', clientSecret };
    throw new ConfigError([
      `no secret of cron: set FIT_CRON_SECRET, or start the monolith, which writes ${cronSecretFile}`,
    ]);
  };
  await credentials();
  const slots = new Slots(config.schedule, config.timezone);
  return { ...config, slots, client: new FitClient(fitUrl, credentials) };
}

/** The schedule is checked in UTC, so that a wrong time zone does not hide a fault of the schedule. */
function scheduleFault(schedule: string): string | undefined {
  try {
    new Slots(schedule, 'UTC');
    return undefined;
  } catch (error) {
    if (error instanceof ScheduleError) return error.message;
    throw error;
  }
}

/** Ends the process. A second signal, or a part that does not stop within the deadline, ends it with exit code 1. */
async function stop(signal: (typeof STOP_SIGNALS)[number]): Promise<void> {
  if (stopping.signal.aborted) process.exit(1);
  stopping.abort();
  log('stopping; a run that the monolith accepted goes on without this process');
  const isLongRunning = shutdownHooks.length > 0;
  setTimeout(() => process.exit(1), STOP_DEADLINE_MS);
  for (const hook of shutdownHooks.reverse())
    try {
      await hook();
    } catch (error) {
      log(`a part did not stop cleanly: ${messageOf(error)}`);
    }
  process.exit(isLongRunning ? 0 : 128 + constants.signals[signal]);
}

/** @returns text such as '2026-11-29T05:00:00.000Z for 2026-11-29'. */
function describe(slot: Slot | undefined): string {
  return slot === undefined ? 'never' : `${slot.at.toISOString()} for ${slot.day}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function log(line: string): void {
  process.stdout.write(`${new Date().toISOString()} ${line}\n`);
}

try {
  await main();
} catch (error) {
  log(messageOf(error));
  process.exitCode = 1;
}
