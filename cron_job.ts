/**
 * Asks the monolith for everyone's workout, daily, and waits until every one is stored.
 *
 * `npm run cron` stays and fires by CRON_SCHEDULE; `npm run cron -- --once` does one run, for any other scheduler.
 * The slot is the idempotency key: two of these at once, or one that fires twice, make one run.
 */
import { parseArgs } from 'node:util';
import { dayIn, isCalendarDay, readCronConfig } from '@fit/contract';
import { Health, type MetricSet, openMetrics, serveOperations } from '@fit/http';
import { awaitReady, FitClient, FitRequestError, followRun } from '@fit/http/client';
import { readSecretFile } from '@fit/http/secret-file';
import { CronExpressionParser } from 'cron-parser';
import { gracefulShutdown, type Job, scheduleJob } from 'node-schedule';

const USAGE = `npm run cron -- [--once [--date YYYY-MM-DD] [--again]] [--help]

  --once   one run for today in CRON_TIMEZONE, then exit: 0 every workout exists, 2 some do not, 1 error
  --date   the day to make workouts for
  --again  a further run for that day, for members who joined since; nobody gets a second workout

  FIT_URL          the monolith, default http://127.0.0.1:12100
  FIT_ADMIN_TOKEN  its bearer token; or FIT_ADMIN_TOKEN_FILE, default .fit/admin-token
  CRON_SCHEDULE    cron expression, default 0 5 * * *
  CRON_TIMEZONE    IANA name, default UTC
  CRON_WAIT_MS     how long to wait for a run, default 3600000 (one hour)
  HOST, METRICS_PORT  where /metrics, /livez and /readyz are served while it stays, default 127.0.0.1, 12115`;

interface Config {
  readonly client: FitClient;
  readonly schedule: string;
  readonly timezone: string;
  readonly waitMs: number;
  readonly host: string;
  readonly metricsPort: number;
}

interface Slot {
  readonly date: string;
  readonly key: string;
}

const RETRY_MS = 2_000;
/** Then it is asked all the same: without its broker the monolith still records what it is asked for. */
const READY_WAIT_MS = 60_000;

try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      date: { type: 'string' },
      again: { type: 'boolean', default: false },
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
  if (!values.once) {
    await serve(config);
    return;
  }
  const date = values.date ?? dayIn(config.timezone, new Date());
  const key = values.again ? `cron:${date}:${crypto.randomUUID()}` : `cron:${date}`;
  process.exitCode = (await runSlot(config, { date, key })) ? 0 : 2;
}

/** Fires by the schedule. A slot that passed while nothing ran is caught up at start: asking again is free. */
async function serve(config: Config): Promise<void> {
  const { schedule, timezone } = config;
  const metrics = openMetrics('cron');
  const fire = (at: Date) => runCounted(config, metrics, slotOf(config, at));
  // It says null, not why; the check at start reads schedules by another parser, which knows a few more forms.
  const job = scheduleJob({ rule: schedule, tz: timezone }, (at) => void fire(at)) as Job | null;
  if (job === null)
    throw new Error(`CRON_SCHEDULE='${schedule}' is no schedule; such as '0 5 * * *'`);
  metrics.read('cron_next_run_timestamp_seconds', {}, () => nextSeconds(job));
  const stopping = new AbortController();
  const operations = await watchCron(config, { metrics, job, stopping: stopping.signal });
  const stop = async () => {
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort();
    say('stopping; a run that was accepted goes on without this process');
    await gracefulShutdown();
    await operations?.close();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  say(`schedule '${schedule}' in ${timezone}; next ${String(job.nextInvocation())}`);
  const missed = CronExpressionParser.parse(schedule, { tz: timezone }).prev().toDate();
  await fire(missed);
}

interface Watched {
  readonly metrics: MetricSet;
  readonly job: Job;
  readonly stopping: AbortSignal;
}

/** Metrics and health. A port that is taken is told, and the daily run goes on: it matters more. */
async function watchCron(
  { client, host, metricsPort: port }: Config,
  { metrics, job, stopping }: Watched,
) {
  const ready = {
    monolith: () => client.unreadiness(),
    schedule: () => (nextSeconds(job) > 0 ? undefined : 'never fires again'),
  };
  try {
    const health = new Health({ stopping, ready });
    const operations = await serveOperations({ host, port, metrics, health });
    say(`metrics and health on ${operations.url}`);
    return operations;
  } catch (error) {
    say(`no metrics and no health: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** @returns when the schedule fires next, in seconds; 0 for never. */
function nextSeconds(job: Job): number {
  const next = job.nextInvocation();
  return next === null ? 0 : next.getTime() / 1_000;
}

async function runCounted(config: Config, metrics: MetricSet, slot: Slot): Promise<void> {
  const startedAt = performance.now();
  try {
    const isComplete = await runSlot(config, slot);
    const endedAtSeconds = Date.now() / 1_000;
    metrics.add('cron_runs_total', { outcome: isComplete ? 'complete' : 'incomplete' });
    metrics.set('cron_last_completion_timestamp_seconds', {}, endedAtSeconds);
    if (isComplete) metrics.set('cron_last_success_timestamp_seconds', {}, endedAtSeconds);
  } catch (error) {
    metrics.add('cron_runs_total', { outcome: 'failed' });
    const reason = error instanceof Error ? error.message : String(error);
    say(`failed, the next slot tries again: ${reason}`);
  } finally {
    metrics.observe('cron_run_duration_seconds', {}, (performance.now() - startedAt) / 1_000);
  }
}

/** @returns whether every workout of the run exists. */
async function runSlot(config: Config, slot: Slot): Promise<boolean> {
  const { client, waitMs } = config;
  const accepted = await acceptedRun(config, slot);
  const { runId, total, created, skipped } = accepted;
  say(
    `run ${runId} for ${slot.date}: ${total} members, ${created} new jobs, ${skipped} there before`,
  );
  const status = await followRun({ client, runId, waitMs, onProgress: say });
  const done = status.states['done'] ?? 0;
  if (done === status.total) say(`every workout of ${slot.date} is stored: ${done}`);
  else
    say(
      `${status.total - done} of ${status.total} are missing: see GET /runs/${runId}, then npm run replay`,
    );
  return done === status.total;
}

/** Repeated until it is accepted: under the same key that can never start a second run. */
async function acceptedRun({ client, waitMs }: Config, { date, key }: Slot) {
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

async function readConfig(): Promise<Config> {
  const { fitUrl, adminToken, adminTokenFile, ...config } = readCronConfig(
    process.env,
    problemOfSchedule,
  );
  const token = adminToken ?? (await readSecretFile(adminTokenFile, say));
  if (token === undefined)
    throw new Error(
      `no admin token: set FIT_ADMIN_TOKEN, or start the monolith, which writes ${adminTokenFile}`,
    );
  return { ...config, client: new FitClient(fitUrl, token) };
}

function problemOfSchedule(schedule: string, timezone: string): string | undefined {
  try {
    CronExpressionParser.parse(schedule, { tz: timezone }).next();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

function slotOf({ timezone }: Config, at: Date): Slot {
  return { date: dayIn(timezone, at), key: `cron:${at.toISOString()}` };
}

function say(line: string): void {
  process.stdout.write(`${new Date().toISOString()} ${line}\n`);
}
