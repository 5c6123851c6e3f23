/**
 * `npm run replay` gives dead jobs all their attempts again. It first records the dead letters that are still on the broker, then
 * stores an operation, which a monolith carries out also if this command is ended, and waits until each of its jobs has ended.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { readFitTopology, readServerUrls, useNativeBroker } from '@fit/contract';
import { collectDeadLetters, EndCounter } from '@fit/jobs';
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
import { openJobEffects } from './jobEffects.ts';
import {
  NO_OUTCOMES,
  type OperationRecord,
  type OperationState,
  type OutcomeCounts,
} from './operations/operation.ts';
import { countOutcomes } from './operations/outcomes.ts';
import { PAYLOAD_RULES } from './operations/payloadRules.ts';
import { checkReplay, storeOperation } from './operations/replayRequest.ts';
import { OperationStore, type OperationSummary } from './operations/store/operationStore.ts';
import { REPLAY_USAGE, type ReplayArguments, readReplayArguments } from './readReplayArguments.ts';

/** What `--json` prints. */
interface Outcome {
  readonly dryRun: boolean;
  /** Dead letters on the broker that match the filter, and others, which stay there. */
  readonly deadLetters: { readonly matched: number; readonly others: number };
  readonly groups: readonly object[];
  readonly dead: number;
  /** Absent in a dry run. */
  readonly operationId?: string;
  readonly state?: OperationState;
  readonly replayed: number;
  /** How the replayed jobs ended. */
  readonly outcomes: OutcomeCounts;
}

const POLL_MS = 1_000;
/** The command gives up waiting if nothing changed for this long. It is longer than the longest retry tier. */
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
    const { state, replayed, outcomes } = outcome;
    const isDone = state === 'completed' && replayed === outcomes.succeeded;
    return options.isDryRun || isDone ? 0 : 2;
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
      return { ...found, replayed: 0, outcomes: NO_OUTCOMES };
    }
    const operations = new OperationStore(database);
    const operation = await requestReplay(options, stores, operations);
    const end = await waitForEnd(operation, stores, operations);
    return { ...found, operationId: operation._id, ...end };
  } finally {
    stores.clock.stop();
  }
}

/** Records matching dead letters that are still on the broker: a job can be replayed only once its record is dead. */
async function recordFromBroker(
  { filter, isDryRun }: ReplayArguments,
  { database, stores, amqpUrl }: { database: StoreDatabase; stores: JobStores; amqpUrl: string },
): Promise<Outcome['deadLetters']> {
  const effects = openJobEffects(database);
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
        findStoredEffects: effects.findStored,
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

/** Stores the operation. It is one span, and the next publish of every job links to it. */
async function requestReplay(
  { filter, ratePerSecond }: ReplayArguments,
  stores: JobStores,
  operations: OperationStore,
): Promise<OperationRecord> {
  const tracing = await openTracing('replay', {
    warn: (_, message) => {
      report(message);
    },
  });
  const trace = tracing.jobs?.operation('replay');
  let matched = 0;
  try {
    const parts = { stores, operations, rules: PAYLOAD_RULES };
    const check = await checkReplay(parts, { filter });
    matched = check.matched;
    const request = {
      selection: filter,
      filter,
      ratePerSecond,
      reason: 'npm run replay',
      traceparent: trace?.traceparent,
    };
    const operation = await storeOperation(parts, `replay-${randomUUID()}`, request, check);
    report(`operation ${operation._id}: ${matched} jobs`);
    return operation;
  } finally {
    trace?.end(matched);
    await tracing.stop();
  }
}

/** Waits until the operation has ended and each of its jobs as well, and reports each change. */
async function waitForEnd(
  operation: OperationRecord,
  stores: JobStores,
  operations: OperationStore,
): Promise<Pick<Outcome, 'state' | 'replayed' | 'outcomes'>> {
  let lastLine = '';
  let changedAtMs = performance.now();
  for (;;) {
    const found: OperationSummary = (await operations.find(operation._id)) ?? operation;
    const { state, replayed } = found;
    const { counts } = await countOutcomes({ operations, jobs: stores.jobs }, found);
    const line = Object.entries(counts)
      .flatMap(([outcome, count]) => (count === 0 ? [] : [`${outcome} ${count}`]))
      .join(', ');
    if (`${state} ${line}` !== lastLine) {
      report(`${state}: ${replayed} of ${found.matched} are replayed; ${line || 'none has ended'}`);
      changedAtMs = performance.now();
      lastLine = `${state} ${line}`;
    }
    const isOver = state !== 'running' && state !== 'paused' && counts.pending === 0;
    if (isOver) return { state, replayed, outcomes: counts };
    if (performance.now() - changedAtMs > IDLE_LIMIT_MS) {
      report(
        'nothing changed for three minutes: are monolith and coach running? The operation goes on once they are.',
      );
      return { state, replayed, outcomes: counts };
    }
    await delay(POLL_MS);
  }
}

/** Progress goes to standard error, so that standard output is one JSON object. */
function report(line: string): void {
  process.stderr.write(`${line}\n`);
}
