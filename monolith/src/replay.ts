/** `npm run replay`: letters on the broker → records, dead records → pending, then wait for their end. */
import { randomUUID } from 'node:crypto';
import { readFitTopology, readServerUrls, useNativeBroker } from '@fit/contract';
import { collectDeadLetters, LIVE_STATES, ReplayStore, replayDead } from '@fit/jobs';
import { connectStore, DeadLetterStore, JobStore, type StoreConnection } from '@fit/jobs/store';
import { openTracing } from '@fit/service';
import { deadLetterQueue } from '@fit/topology';
import { openDeadLetterReader } from '@fit/topology/amqp';
import {
  REPLAY_USAGE,
  type ReplayArguments,
  readReplayArguments,
} from './replay/readReplayArguments.ts';

interface Outcome {
  readonly dryRun: boolean;
  /** Letters taken from the broker, and letters left there by the filter. */
  readonly letters: { readonly matched: number; readonly others: number };
  readonly groups: readonly object[];
  readonly dead: number;
  readonly replayed: number;
  readonly states: Readonly<Partial<Record<string, number>>>;
}

const POLL_MS = 500;
/** Nothing moved for this long: say so instead of waiting for ever. Longer than the longest tier. */
const STILL_MS = 180_000;

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
  const letters = await collect(options, store, amqpUrl);
  const jobs = new ReplayStore(store.database);
  const [groups, dead] = await Promise.all([jobs.groups(filter), jobs.count(filter)]);
  say(
    `${letters.matched} letters on the broker match, ${letters.others} do not; ${dead} dead jobs match`,
  );
  for (const { cause, count, reason } of groups)
    say(`  ${String(count).padStart(6)}  ${cause}: ${reason}`);
  const plan = { dryRun: isDryRun, letters, groups, dead };
  if (isDryRun) {
    say('dry run: nothing was changed');
    return { ...plan, replayed: 0, states: {} };
  }
  const replayId = randomUUID();
  const replayed = await revive(options, { jobs, dead, replayId });
  const states = await follow(jobs, replayId, replayed);
  return { ...plan, replayed, states };
}

/** One span, which the next publish of every job links to. */
async function revive(
  { filter, ratePerSecond }: ReplayArguments,
  { jobs, dead, replayId }: { jobs: ReplayStore; dead: number; replayId: string },
): Promise<number> {
  const tracing = await openTracing('replay', {
    warn: (_, message) => {
      say(message);
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
      onRevived: (count) => {
        replayed = count;
        say(`brought back ${count} of ${dead}`);
      },
    });
    return replayed;
  } finally {
    trace?.end(replayed);
    await tracing.stop();
  }
}

async function collect(
  { filter, isDryRun }: ReplayArguments,
  store: StoreConnection,
  amqpUrl: string,
): Promise<Outcome['letters']> {
  const total = { matched: 0, others: 0 };
  for (const kind of readFitTopology(process.env).kinds) {
    const box = await openDeadLetterReader(amqpUrl, deadLetterQueue(kind.queue));
    try {
      const found = await collectDeadLetters({
        kind,
        box,
        filter,
        isDryRun,
        store: new JobStore(store.database),
        letters: new DeadLetterStore(store.database),
        onEvent: () => undefined,
      });
      total.matched += found.matched;
      total.others += found.others;
    } finally {
      // Or the letters in its hand would stay there as long as the process.
      await box.close();
    }
  }
  return total;
}

/** Waits until every replayed job is done or dead again, showing what changes. */
async function follow(
  jobs: ReplayStore,
  replayId: string,
  replayed: number,
): Promise<Outcome['states']> {
  let shown = '';
  let movedAt = Date.now();
  for (;;) {
    const states = await jobs.progress(replayId);
    const line = Object.entries(states)
      .map(([state, count]) => `${state} ${count}`)
      .join(', ');
    if (line !== shown) {
      say(`of ${replayed}: ${line || 'none'}`);
      movedAt = Date.now();
      shown = line;
    }
    if (LIVE_STATES.every((state) => (states[state] ?? 0) === 0)) return states;
    if (Date.now() - movedAt > STILL_MS) {
      say(
        'nothing moved for three minutes: are monolith and coach running? The jobs stay pending.',
      );
      return states;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Progress goes to standard error, so that standard output stays one JSON object. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
