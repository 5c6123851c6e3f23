/**
 * `npm run replay` gives dead jobs all their attempts again. It first records the dead letters that are still on the
 * broker, then makes the dead jobs pending in a new generation, and waits until each of them is done or dead again.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { readFitTopology, readServerUrls, useNativeBroker } from '@fit/contract';
import { collectDeadLetters, LIVE_STATES, ReplayStore, replayDead } from '@fit/jobs';
import {
  connectStore,
  DeadLetterStore,
  JobStore,
  requireExistingSchema,
  type StoreConnection,
} from '@fit/jobs/store';
import { openTracing } from '@fit/service';
import { deadLetterQueue } from '@fit/topology';
import { openDeadLetterReader } from '@fit/topology/amqp';
import { REPLAY_USAGE, type ReplayArguments, readReplayArguments } from './readReplayArguments.ts';

/** What `--json` prints. */
interface Outcome {
  readonly dryRun: boolean;
  /** Dead letters on the broker that match the filter, and others, which stay there. */
  readonly deadLetters: { readonly matched: number; readonly others: number };
  readonly groups: readonly object[];
  readonly dead: number;
  readonly replayed: number;
  readonly states: Readonly<Partial<Record<string, number>>>;
}

const POLL_MS = 500;
/** The command gives up if no job changed its state for this long. It is longer than the longest retry tier. */
const IDLE_LIMIT_MS = 180_000;

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`replay: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const options = readReplayArguments(process.argv.slice(2));
  if (options.isHelp) {
    process.stdout.write(`${REPLAY_USAGE}\n`);
    return 0;
  }
  useNativeBroker(process.env);
  const { mongodbUrl, amqpUrl } = readServerUrls(process.env);
  const store = connectStore(mongodbUrl);
  try {
    await requireExistingSchema(store.database);
    const outcome = await replay(options, store, amqpUrl);
    if (options.isJson) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    return options.isDryRun || outcome.replayed === (outcome.states['done'] ?? 0) ? 0 : 2;
  } finally {
    await store.close();
  }
}

async function replay(
  options: ReplayArguments,
  store: StoreConnection,
  amqpUrl: string,
): Promise<Outcome> {
  const { filter, isDryRun } = options;
  const deadLetters = await recordFromBroker(options, store, amqpUrl);
  const jobs = new ReplayStore(store.database);
  const [groups, dead] = await Promise.all([jobs.groups(filter), jobs.count(filter)]);
  report(
    `${deadLetters.matched} dead letters on the broker match, ${deadLetters.others} do not; ${dead} dead jobs match`,
  );
  for (const { cause, count, reason } of groups)
    report(`  ${String(count).padStart(6)}  ${cause}: ${reason}`);
  const found = { dryRun: isDryRun, deadLetters, groups, dead };
  if (isDryRun) {
    report('dry run: nothing was changed');
    return { ...found, replayed: 0, states: {} };
  }
  const replayId = randomUUID();
  const replayed = await makePending(options, { jobs, dead, replayId });
  const states = await waitForEnd(jobs, replayId, replayed);
  return { ...found, replayed, states };
}

/** Records matching dead letters that are still on the broker: a job can be replayed only once its record is dead. */
async function recordFromBroker(
  { filter, isDryRun }: ReplayArguments,
  store: StoreConnection,
  amqpUrl: string,
): Promise<Outcome['deadLetters']> {
  const total = { matched: 0, others: 0 };
  for (const kind of readFitTopology(process.env).kinds) {
    const reader = await openDeadLetterReader(amqpUrl, deadLetterQueue(kind.queue));
    try {
      const found = await collectDeadLetters({
        kind,
        reader,
        filter,
        isDryRun,
        store: new JobStore(store.database),
        deadLetters: new DeadLetterStore(store.database),
        onEvent: () => undefined,
      });
      total.matched += found.matched;
      total.others += found.others;
    } finally {
      // Dead letters that were read and not acknowledged go back to the queue when the reader closes.
      await reader.close();
    }
  }
  return total;
}

/**
 * Makes the matching dead jobs pending. The replay is one span, and the next publish of every job links to it.
 * @returns how many jobs are pending again.
 */
async function makePending(
  { filter, ratePerSecond }: ReplayArguments,
  { jobs, dead, replayId }: { jobs: ReplayStore; dead: number; replayId: string },
): Promise<number> {
  const tracing = await openTracing('replay', {
    warn: (_, message) => {
      report(message);
    },
  });
  const trace = tracing.jobs?.operation('replay');
  let replayed = 0;
  try {
    replayed = await replayDead({
      store: jobs,
      filter,
      replayId,
      ratePerSecond,
      traceparent: trace?.traceparent,
      onProgress: (count) => {
        replayed = count;
        report(`${count} of ${dead} are pending again`);
      },
    });
    return replayed;
  } finally {
    trace?.end(replayed);
    await tracing.stop();
  }
}

/** Waits until every replayed job is done or dead again, and reports each change. */
async function waitForEnd(
  jobs: ReplayStore,
  replayId: string,
  replayed: number,
): Promise<Outcome['states']> {
  let lastLine = '';
  let changedAtMs = performance.now();
  for (;;) {
    const states = await jobs.progress(replayId);
    const line = Object.entries(states)
      .map(([state, count]) => `${state} ${count}`)
      .join(', ');
    if (line !== lastLine) {
      report(`of ${replayed}: ${line || 'none'}`);
      changedAtMs = performance.now();
      lastLine = line;
    }
    if (LIVE_STATES.every((state) => (states[state] ?? 0) === 0)) return states;
    if (performance.now() - changedAtMs > IDLE_LIMIT_MS) {
      report(
        'no job changed its state for three minutes: are monolith and coach running? The jobs stay pending.',
      );
      return states;
    }
    await delay(POLL_MS);
  }
}

/** Progress goes to standard error, so that standard output is one JSON object. */
function report(line: string): void {
  process.stderr.write(`${line}\n`);
}
