/**
 * `npm run replay` gives dead jobs all their attempts again. It first records the dead letters that are still on the
 * broker, then makes the dead jobs pending in a new generation, and waits until each of them is done or dead again.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  findStoredWods,
  readFitTopology,
  readServerUrls,
  useNativeBroker,
  WODS_COLLECTION,
  type WodDocument,
  wodJobOf,
} from '@fit/contract';
import {
  collectDeadLetters,
  EndCounter,
  type Replayed,
  ReplayProgress,
  replayDead,
} from '@fit/jobs';
import {
  connectStore,
  countingRunStore,
  type JobStores,
  openJobStores,
  requireExistingSchema,
  type StoreDatabase,
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

const POLL_MS = 1_000;
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
    const outcome = await replay(options, store.database, amqpUrl);
    if (options.isJson) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    return options.isDryRun || outcome.replayed === (outcome.states['done'] ?? 0) ? 0 : 2;
  } finally {
    await store.close();
  }
}

async function replay(
  options: ReplayArguments,
  database: StoreDatabase,
  amqpUrl: string,
): Promise<Outcome> {
  const { filter, isDryRun } = options;
  const stores = await openJobStores(database);
  try {
    const deadLetters = await recordFromBroker(options, { database, stores, amqpUrl });
    const [groups, dead] = await Promise.all([
      stores.dead.groups(filter),
      stores.dead.count(filter),
    ]);
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
    const { count, batches } = await makePending(options, { database, stores, dead });
    const states = await waitForEnd(new ReplayProgress(stores, batches), count);
    return { ...found, replayed: count, states };
  } finally {
    stores.clock.stop();
  }
}

/** Records matching dead letters that are still on the broker: a job can be replayed only once its record is dead. */
async function recordFromBroker(
  { filter, isDryRun }: ReplayArguments,
  { database, stores, amqpUrl }: { database: StoreDatabase; stores: JobStores; amqpUrl: string },
): Promise<Outcome['deadLetters']> {
  const wods = database.collection<WodDocument>(WODS_COLLECTION);
  const endCounter = new EndCounter({
    runs: stores.runs,
    countingRuns: countingRunStore(database, stores),
  });
  const total = { matched: 0, others: 0 };
  for (const kind of readFitTopology(process.env).kinds) {
    const reader = await openDeadLetterReader(amqpUrl, deadLetterQueue(kind));
    try {
      const found = await collectDeadLetters({
        kind,
        reader,
        filter,
        isDryRun,
        stores,
        endCounter,
        findStoredEffects: (jobs) => findStoredWods(wods, jobs.map(wodJobOf)),
        onEvent: () => undefined,
      });
      total.matched += found.matched;
      total.others += found.others;
    } finally {
      // Dead letters that were read and not acknowledged go back to the queue when the reader closes.
      await reader.close();
    }
  }
  await endCounter.close();
  return total;
}

/** Makes the matching dead jobs pending. The replay is one span, and the next publish of every job links to it. */
async function makePending(
  { filter, ratePerSecond }: ReplayArguments,
  { database, stores, dead }: { database: StoreDatabase; stores: JobStores; dead: number },
): Promise<Replayed> {
  const tracing = await openTracing('replay', {
    warn: (_, message) => {
      report(message);
    },
  });
  const trace = tracing.jobs?.operation('replay');
  let replayed = 0;
  try {
    return await replayDead({
      stores,
      countingRuns: countingRunStore(database, stores),
      filter,
      replayId: `replay-${randomUUID()}`,
      ratePerSecond,
      traceparent: trace?.traceparent,
      onProgress: (count) => {
        replayed = count;
        report(`${count} of ${dead} are pending again`);
      },
    });
  } finally {
    trace?.end(replayed);
    await tracing.stop();
  }
}

/** Waits until every replayed job is done or dead again, and reports each change. */
async function waitForEnd(progress: ReplayProgress, replayed: number): Promise<Outcome['states']> {
  let lastLine = '';
  let changedAtMs = performance.now();
  for (;;) {
    const states = await progress.read();
    const line = Object.entries(states)
      .map(([state, count]) => `${state} ${count}`)
      .join(', ');
    if (line !== lastLine) {
      report(`of ${replayed}: ${line || 'none'}`);
      changedAtMs = performance.now();
      lastLine = line;
    }
    if (progress.isEnded) return states;
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
