/**
 * Asks the monolith for everyone's workout, daily, and waits until every one is stored.
 *
 * `npm run cron` stays and fires by CRON_SCHEDULE; `npm run cron -- --once` does one run, for any other scheduler.
 * The slot is the idempotency key: two of these at once, or one that fires twice, make one run.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { dayIn, EnvironmentReader, isCalendarDay } from '@fit/contract';
import { FitClient, FitRequestError, followRun } from '@fit/http/client';
import { CronExpressionParser } from 'cron-parser';
import { gracefulShutdown, scheduleJob } from 'node-schedule';

const USAGE = `npm run cron -- [--once [--date YYYY-MM-DD] [--again]] [--help]

  --once   one run for today in CRON_TIMEZONE, then exit: 0 every workout exists, 2 some do not, 1 error
  --date   the day to make workouts for
  --again  a further run for that day, for members who joined since; nobody gets a second workout

  FIT_URL          the monolith, default http://127.0.0.1:12100
  FIT_ADMIN_TOKEN  its bearer token; or FIT_ADMIN_TOKEN_FILE, default .fit/admin-token
  CRON_SCHEDULE    cron expression, default 0 5 * * *
  CRON_TIMEZONE    IANA name, default UTC
  CRON_WAIT_MS     how long to wait for a run, default 3600000 (one hour)`;

interface Config {
  readonly client: FitClient;
  readonly schedule: string;
  readonly timezone: string;
  readonly waitMs: number;
}

interface Slot {
  readonly date: string;
  readonly key: string;
}

const RETRY_MS = 2_000;

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
  const fire = async (at: Date) => {
    try {
      await runSlot(config, slotOf(config, at));
    } catch (error) {
      say(
        `failed, the next slot tries again: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };
  const job = scheduleJob({ rule: schedule, tz: timezone }, (at) => void fire(at));
  process.once('SIGTERM', () => void gracefulShutdown().then(() => process.exit(0)));
  process.once('SIGINT', () => void gracefulShutdown().then(() => process.exit(0)));
  say(`schedule '${schedule}' in ${timezone}; next ${String(job.nextInvocation())}`);
  const missed = CronExpressionParser.parse(schedule, { tz: timezone }).prev().toDate();
  await fire(missed);
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
  const reader = new EnvironmentReader(process.env);
  const url = reader.url('FIT_URL', 'http://127.0.0.1:12100', ['http:', 'https:']);
  const schedule = reader.text('CRON_SCHEDULE', '0 5 * * *');
  const timezone = reader.text('CRON_TIMEZONE', 'UTC');
  const waitMs = reader.number('CRON_WAIT_MS', 3_600_000, { min: 1_000, max: 86_400_000 });
  try {
    CronExpressionParser.parse(schedule, { tz: timezone }).next();
  } catch (error) {
    reader.refuse(`CRON_SCHEDULE='${schedule}' in CRON_TIMEZONE='${timezone}': ${String(error)}`);
  }
  reader.finish();
  return { client: new FitClient(url, await readToken(reader)), schedule, timezone, waitMs };
}

async function readToken(reader: EnvironmentReader): Promise<string> {
  const path = reader.text('FIT_ADMIN_TOKEN_FILE', '.fit/admin-token');
  const token =
    reader.optional('FIT_ADMIN_TOKEN') ?? (await readFile(path, 'utf8').catch(() => ''));
  if (token.trim() === '')
    throw new Error(
      `no admin token: set FIT_ADMIN_TOKEN, or start the monolith, which writes ${path}`,
    );
  return token.trim();
}

function slotOf({ timezone }: Config, at: Date): Slot {
  return { date: dayIn(timezone, at), key: `cron:${at.toISOString()}` };
}

function say(line: string): void {
  process.stdout.write(`${new Date().toISOString()} ${line}\n`);
}
