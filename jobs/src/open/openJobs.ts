/** Opens durable jobs in one call: database, broker, topology, background tasks; then jobs are enqueued, read and worked on. */
import { randomUUID } from 'node:crypto';
import {
  type Connection,
  createConnection,
  type Declaration,
  type Duration,
  type KindDeclaration,
  parseDurationMs,
} from '@fit/topology';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import pTimeout from 'p-timeout';
import {
  type BackgroundTasks,
  startBackgroundTasks,
  TASK_NAMES,
  type TaskName,
} from '../background/backgroundTasks.ts';
import { cancelJob } from '../cancel/cancelJob.ts';
import type { JobEvent, JobListener } from '../jobEvent.ts';
import { defaultStaleAfterMs } from '../reconcile/reconciler.ts';
import { type AttemptRecord, type JobRecord, jobId, keyOf } from '../record/jobRecord.ts';
import { compareTexts, escapePattern } from '../record/texts.ts';
import { timeKey } from '../record/timeKey.ts';
import type { ShownState } from '../record/transitions.ts';
import { replayDead } from '../replay/replayDeadJobs.ts';
import type { RetentionPolicy } from '../retention/retention.ts';
import { EndCounter } from '../settle/endCounter.ts';
import {
  connectStore,
  type DriverDatabase,
  type StoreDatabase,
  storeOf,
} from '../store/connectStore.ts';
import type { ReplayFilter } from '../store/deadJobStore.ts';
import { JobStore } from '../store/jobStore.ts';
import {
  backgroundStores,
  countingRunStore,
  ensureIndexes,
  type JobStores,
  openJobStores,
} from '../store/jobStores.ts';
import { ResultStore } from '../store/resultStore.ts';
import type { RunStore } from '../store/runStore.ts';
import {
  COLLECTION_NAMES,
  type CollectionName,
  isCollectionName,
  requireSchema,
} from '../store/schemaVersion.ts';
import { type ShownJob, showJobs } from '../store/shownJobs.ts';
import { BACKGROUND_LIMITS, type StatementLimits } from '../store/statement.ts';
import type { Handler } from '../work/handler.ts';
import { JobWorker } from '../work/jobWorker.ts';
import { Enqueuer } from './enqueuer.ts';
import {
  ANY_PAYLOAD,
  asJson,
  type JobErrorMapper,
  type JobTask,
  type KindWork,
  runAttempt,
} from './jobHandler.ts';
import { checkValue, declareKinds, type JobKinds } from './jobKinds.ts';
import { JobRefused } from './jobRefused.ts';
import { type JobReport, recordReport } from './jobReport.ts';
import { ReportingWorker } from './reportingWorker.ts';
import { requestedJob } from './requestedJob.ts';

type Name<Kinds> = Extract<keyof Kinds, string>;
type InputOf<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<Schema>
  : never;
type OutputOf<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Schema>
  : never;
/** What the handler of a kind returns: anything where the kind declares no result. */
type AnswerOf<Kind> = Kind extends { readonly result: infer Schema } ? InputOf<Schema> : unknown;
type ResultOf<Kind> = Kind extends { readonly result: infer Schema } ? OutputOf<Schema> : undefined;

export interface OpenJobsOptions<Kinds extends JobKinds> {
  /**
   * A `Db` of the driver, which stays the caller's, or a URL. Only a process that works with `report` and
   * does nothing else may leave it out.
   */
  readonly database?: DriverDatabase | string;
  /**
   * What `createConnection` returned, which stays the caller's, or an AMQP URL with credentials, whose path is the virtual host:
   * then the first part that needs the broker connects, and waits as long as it is away.
   */
  readonly connection: Connection | string;
  /**
   * With a URL as `connection`: URL of the management API with credentials, for limits as policies; all processes have it, or
   * none.
   */
  readonly managementUrl?: string;
  /** The same in every process of a prefix. */
  readonly kinds: Kinds;
  /** Names of collections, queues and exchanges begin with it; default `fit_`. */
  readonly prefix?: string;
  /**
   * Names of collections that shall not be `<prefix><name>`; the same in every process of a prefix. Two collections must not have one name.
   */
  readonly collections?: Readonly<Partial<Record<CollectionName, string>>>;
  /**
   * What this process does beside enqueuing and working; default all. The tasks are shared or leased, so any number of
   * processes may have them, and at least one must have each.
   */
  readonly tasks?: readonly TaskName[];
  /** Ended jobs and their results are deleted this many days after they were published, above 0; default 30. A kind may have its own. */
  readonly keepDays?: number;
  /**
   * A job that no worker has in hand counts as lost, if its message is missing, after this time without a change. Default: the
   * longest path of retries, the longest deadline, and 30 s. A worker that reports has no heartbeat: beside such workers a
   * job is lost only after its queue had no ready message for two deadlines and half a minute as well.
   */
  readonly staleAfter?: Duration;
  /** Receives every event, for logs and metrics; default: failures and outages as lines on standard error. */
  readonly onEvent?: JobListener;
}

export interface EnqueueOptions {
  /**
   * Identifies the job among those of its kind: a second call with the same key returns the first job, as long as its record
   * is kept. Default: a UUID, which grows with time.
   */
  readonly key?: string;
  /** The first attempt begins after this time at the earliest. */
  readonly delay?: Duration;
  /** One of the kind's `priorities`. Default: their middle level. */
  readonly priority?: string;
}

/**
 * - `pending`: stored, and not on the broker yet: delayed, or waiting for room. `queued`: on the broker.
 * - `running`: an attempt has run for longer than a second. `waiting`: an attempt failed, and a further one follows.
 * - `done`, `dead`, `cancelled`: the ends.
 */
export type JobStatus = ShownState;

export interface StoredJob<Kinds extends JobKinds, Kind extends Name<Kinds> = Name<Kinds>> {
  readonly id: string;
  readonly kind: Kind;
  readonly key: string;
  readonly state: JobStatus;
  readonly payload: InputOf<Kinds[Kind]['payload']>;
  /** Attempts since the last replay. */
  readonly attempts: number;
  /** Why the job is dead, or why its last attempt failed. */
  readonly error?: string;
  /** Of a done job whose kind declares a result. */
  readonly result?: ResultOf<Kinds[Kind]>;
  readonly createdAt: Date;
  /** Time of the last change of the state. */
  readonly updatedAt: Date;
}

/** Which jobs to list, in which order, and where to begin. */
export interface ListFilter<Kinds extends JobKinds> extends JobFilter<Kinds> {
  /** True: from the last key to the first one; the newest first where keys grow with time, as default keys do. */
  readonly isDescending?: boolean;
  /**
   * Begins behind this job, such as the last one of a page. Without its kind it begins behind the jobs that have this key in any
   * kind. The job need not exist any more.
   */
  readonly after?: { readonly key: string; readonly kind?: Name<Kinds> };
}

/** Every given field must match; without fields all jobs match. */
export interface JobFilter<Kinds extends JobKinds> {
  readonly kind?: Name<Kinds>;
  /** The key begins with this text. It makes `list` cheap, however many jobs there are. */
  readonly keyPrefix?: string;
  readonly state?: JobStatus;
  /** Created at this time or later. */
  readonly since?: Date;
  /** Created before this time. */
  readonly until?: Date;
  /** The error of a dead job has this text. */
  readonly error?: string;
}

export interface WorkOptions {
  /** Handlers at a time; default 10. */
  readonly concurrency?: number;
  /**
   * Messages that the process holds at a time, those whose handlers run included; at least `concurrency`, at most 65,535, and
   * with `report` at most twice the concurrency. Default twice the concurrency. Fewer are shared better between workers of long
   * jobs, more are faster with short ones.
   */
  readonly prefetch?: number;
  /** What an error of the handler means; undefined: a retry. `instanceof` works, so minified names do no harm. */
  readonly onError?: JobErrorMapper;
  /**
   * Receives the end of each attempt, in place of the database; it is called again until it succeeds. The process that has the
   * database passes what arrives to `recordReport`. Where that throws JobRefused `REPORT_INVALID`, the callback may throw the
   * same: the message then goes to the dead-letter queue.
   */
  readonly report?: (report: JobReport) => Promise<void>;
}

export interface StopOptions {
  /** Default 30 s. What is not finished then goes back to the queue. */
  readonly deadline?: Duration;
}

export interface OpenWorker {
  /** Names the worker in attempts. */
  readonly id: string;
  /** `stopping`: nothing more is consumed, and running attempts go on until the deadline of the stop. */
  readonly health: 'running' | 'paused' | 'disconnected' | 'stopping' | 'stopped';
  /** Stops consuming and gives what has not begun back to the queue; running attempts go on. Resolves once nothing more arrives. */
  pause(): Promise<void>;
  resume(): void;
  /**
   * Stops consuming, waits for running attempts, gives the rest back to the queue. A second call waits for the first one.
   * @throws TypeError where the deadline is no duration; the worker then goes on.
   */
  stop(options?: StopOptions): Promise<void>;
}

/** Which of the servers that this process uses answer. */
export interface Dependencies {
  /** Absent where `openJobs` was called without a database. */
  readonly database?: boolean;
  /** Absent where the process has neither background tasks nor workers. */
  readonly broker?: boolean;
}

export interface Jobs<Kinds extends JobKinds> extends AsyncDisposable {
  /** The topology that is made of the kinds, for tools that plan, verify or draw it. */
  readonly declaration: Declaration;
  /** True while every connection of the background tasks to the broker is open. */
  readonly isUp: boolean;
  /** For health checks: asks the database, with one try, and looks at the connections to the broker. Takes at most 2 s, and never throws. */
  ping(): Promise<Dependencies>;
  /**
   * Resolves when the job is stored; from then on nothing loses it. The payload is stored as JSON.
   * @throws JobRefused; StoreUnavailable: the job may be stored nevertheless, so enqueue it again with the same key.
   */
  enqueue<Kind extends Name<Kinds>>(
    kind: Kind,
    payload: InputOf<Kinds[Kind]['payload']>,
    options?: EnqueueOptions,
  ): Promise<StoredJob<Kinds, Kind>>;
  /** @returns undefined where there is no job of this id, or where it is deleted. */
  get(id: string): Promise<StoredJob<Kinds> | undefined>;
  /**
   * Jobs in the order of their keys, those of all kinds together, or the other way round. Reads pages of 100 of each kind while
   * it is iterated.
   */
  list(filter?: ListFilter<Kinds>): AsyncIterableIterator<StoredJob<Kinds>>;
  /**
   * False where the job had ended or had begun. An attempt that began within the last second counts as not begun: it goes on, and
   * the job is done after all if it succeeds.
   */
  cancel(id: string): Promise<boolean>;
  /** Makes dead jobs pending again, with all their attempts. */
  replay(filter?: Omit<JobFilter<Kinds>, 'state'>): Promise<{ readonly replayed: number }>;
  /**
   * Works on jobs of a kind until it is stopped. The end of an attempt is stored before its message is acknowledged: a killed
   * worker loses no job, but the handler may run again, so it must be safe to repeat. A result is stored once.
   */
  work<Kind extends Name<Kinds>>(
    kind: Kind,
    handler: (
      job: JobTask<OutputOf<Kinds[Kind]['payload']>>,
    ) => AnswerOf<Kinds[Kind]> | Promise<AnswerOf<Kinds[Kind]>>,
    options?: WorkOptions,
  ): Promise<OpenWorker>;
  /**
   * Writes the end of an attempt that a worker without a database reported; repeated and late reports change nothing, nor do
   * those of deleted jobs. A result that the database refuses makes the job dead.
   * @throws JobRefused `REPORT_INVALID`: no such report, or one that does not agree with its job; StoreUnavailable.
   */
  recordReport(report: unknown): Promise<void>;
  /**
   * Stops the workers, also those that are being opened, then the background tasks, then the connections. A step that fails
   * skips no other one; its error is thrown at the end.
   * @throws TypeError where the deadline is no duration; nothing is closed then.
   */
  close(options?: StopOptions): Promise<void>;
}

/** The part of open jobs that needs the database. */
interface Stored {
  readonly stores: JobStores;
  readonly countingRuns: RunStore;
  readonly results: ResultStore;
  readonly endCounter: EndCounter;
  readonly enqueuer: Enqueuer;
  /** Its statements have one try, and a second. */
  readonly quickJobs: JobStore;
  readonly tasks: BackgroundTasks | undefined;
  readonly close: () => Promise<void>;
}

const DEFAULT_STOP = '30s';
const DEFAULT_KEEP_DAYS = 30;
const DEFAULT_CONCURRENCY = 10;
const PAGE_COUNT = 100;
const ONE_TRY: StatementLimits = { statementMs: 1_000, budgetMs: 0, tryCount: 1 };
/** A database that is away has no answer in time, although no statement was sent. */
const PING_LIMIT_MS = 2_000;
/** No job has this id. */
const NO_JOB = '';
const MOST_PREFETCHED = 65_535;
const NO_RESULTS: ReadonlyMap<string, unknown> = new Map();
/** Follows every other character in the order of the database. */
const LAST_CHARACTER = '\u{10ffff}';

/**
 * @throws TopologyError where the kinds make no topology, or the broker cannot carry it; StoreUnavailable; SchemaMismatch where
 * another release wrote the collections of this prefix; TypeError where `staleAfter`, `keepDays` or `collections` is wrong.
 */
export async function openJobs<const Kinds extends JobKinds>(
  options: OpenJobsOptions<Kinds>,
): Promise<Jobs<Kinds>> {
  const prefix = options.prefix ?? 'fit_';
  if (options.staleAfter !== undefined) requireDuration('staleAfter', options.staleAfter);
  for (const { keepDays } of [options, ...Object.values(options.kinds)])
    if (keepDays !== undefined) requireDays(keepDays);
  requireDistinct(options.collections ?? {}, prefix);
  const declaration = declareKinds(options.kinds, `${prefix}jobs`);
  const broker = new Broker(options, `${prefix}jobs`);
  try {
    const stored = await openStored(options, declaration, { prefix, broker });
    return new OpenedJobs(options, declaration, { stored, broker });
  } catch (error) {
    await broker.close();
    throw error;
  }
}

/** The connection of opened jobs: that of the caller, or one that is opened when it is first needed. */
class Broker {
  readonly #options: Pick<OpenJobsOptions<JobKinds>, 'connection' | 'managementUrl'>;
  readonly #name: string;
  readonly #stopping = new AbortController();
  #own: Promise<Connection> | undefined;
  #isConnected = false;

  constructor(
    options: Pick<OpenJobsOptions<JobKinds>, 'connection' | 'managementUrl'>,
    name: string,
  ) {
    this.#options = options;
    this.#name = name;
  }

  /** @throws ConnectError where the broker refuses the URL. */
  async connection(): Promise<Connection> {
    const { connection, managementUrl } = this.#options;
    if (typeof connection !== 'string') return connection;
    this.#own ??= createConnection({
      url: connection,
      ...(managementUrl === undefined ? {} : { managementUrl }),
      name: this.#name,
      connectTimeout: 'forever',
      signal: this.#stopping.signal,
    }).catch((error: unknown) => {
      this.#own = undefined;
      throw error;
    });
    const own = await this.#own;
    this.#isConnected = true;
    return own;
  }

  /** Closes the connection, unless it is the caller's. */
  async close(): Promise<void> {
    const connection = await this.#own?.catch(() => undefined);
    await connection?.close({ deadline: 0 });
  }

  /** Ends connecting. */
  abandon(): void {
    if (!this.#isConnected) this.#stopping.abort(new Error('these jobs are closed'));
  }
}

async function openStored(
  options: OpenJobsOptions<JobKinds>,
  declaration: Declaration,
  { prefix, broker }: { readonly prefix: string; readonly broker: Broker },
): Promise<Stored | undefined> {
  const { database: given, kinds, tasks: names = TASK_NAMES, onEvent = logFailures } = options;
  if (given === undefined) return undefined;
  const connection = typeof given === 'string' ? connectStore(given) : undefined;
  const closers: (() => Promise<unknown>)[] = [];
  if (connection !== undefined) closers.push(() => connection.close());
  const closeAll = async () => {
    const errors: unknown[] = [];
    for (const close of closers.toReversed())
      await close().catch((error: unknown) => {
        errors.push(error);
      });
    throwAll(errors);
  };
  try {
    const database: StoreDatabase = (
      connection?.database ?? storeOf(given as DriverDatabase)
    ).withPrefix(prefix, options.collections);
    await requireSchema(database);
    const stores = await openJobStores(database);
    closers.push(() => {
      stores.clock.stop();
      return Promise.resolve();
    });
    await ensureIndexes(stores);
    const countingRuns = countingRunStore(database, stores);
    const endCounter = new EndCounter({ runs: stores.runs, countingRuns });
    closers.push(() => endCounter.close());
    const results = new ResultStore(database.withLimits(BACKGROUND_LIMITS));
    const hasResult = (kind: string) => kinds[kind]?.result !== undefined;
    const tasks =
      names.length === 0
        ? undefined
        : await startBackgroundTasks({
            connection: await broker.connection(),
            declaration,
            tasks: names,
            stores: backgroundStores(database, stores),
            countingRuns,
            endCounter,
            effects: {
              findStored: (jobs) =>
                results.findStored(
                  jobs.filter(({ kind }) => hasResult(kind)).map(({ _id }) => _id),
                ),
              idsOf: (kind, jobIds) => (hasResult(kind) ? jobIds : []),
              delete: (_kind, ids) => results.delete(ids),
            },
            retentionPolicy: keptFor(options.keepDays ?? DEFAULT_KEEP_DAYS),
            retentionPolicyOf: Object.fromEntries(
              Object.entries(kinds).flatMap(([kind, { keepDays }]) =>
                keepDays === undefined ? [] : [[kind, keptFor(keepDays)]],
              ),
            ),
            staleAfterMs: staleAfterMs(options, declaration),
            onEvent,
          });
    if (tasks !== undefined) closers.push(() => tasks.stop());
    // With these limits the statements of an enqueue end before the lease of its batch does, unless the process is suspended.
    const enqueuer = new Enqueuer({
      stores: backgroundStores(database, stores),
      relay: () => tasks?.relay,
    });
    closers.push(() => enqueuer.flush());
    const quickJobs = new JobStore(database.withLimits(ONE_TRY));
    return {
      stores,
      countingRuns,
      results: new ResultStore(database),
      endCounter,
      enqueuer,
      quickJobs,
      tasks,
      close: closeAll,
    };
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw error;
  }
}

class OpenedJobs<Kinds extends JobKinds> implements Jobs<Kinds> {
  readonly declaration: Declaration;
  readonly #options: OpenJobsOptions<Kinds>;
  readonly #stored: Stored | undefined;
  readonly #broker: Broker;
  readonly #workers = new Set<OpenWorker>();
  /** Workers that are being opened. They use the connections, which therefore close after them. */
  readonly #opening = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(
    options: OpenJobsOptions<Kinds>,
    declaration: Declaration,
    { stored, broker }: { readonly stored: Stored | undefined; readonly broker: Broker },
  ) {
    this.#options = options;
    this.declaration = declaration;
    this.#stored = stored;
    this.#broker = broker;
  }

  get isUp(): boolean {
    return this.#stored?.tasks?.isUp !== false;
  }

  async ping(): Promise<Dependencies> {
    const { tasks } = this.#stored ?? {};
    const workers = [...this.#workers];
    const isUp = this.isUp && workers.every(({ health }) => health !== 'disconnected');
    return {
      ...(this.#stored === undefined ? {} : { database: await this.#canRead(this.#stored) }),
      ...(tasks === undefined && workers.length === 0 ? {} : { broker: isUp }),
    };
  }

  async #canRead({ quickJobs }: Stored): Promise<boolean> {
    try {
      await pTimeout(quickJobs.find(NO_JOB), { milliseconds: PING_LIMIT_MS });
      return true;
    } catch {
      return false;
    }
  }

  async enqueue<Kind extends Name<Kinds>>(
    kind: Kind,
    payload: InputOf<Kinds[Kind]['payload']>,
    options: EnqueueOptions = {},
  ): Promise<StoredJob<Kinds, Kind>> {
    const stored = this.#requireStored();
    const { schema, declared } = this.#kindOf(kind);
    const { key = timeKey(), delay = 0, priority } = options;
    const delayMs = readDuration(delay);
    if (delayMs === undefined)
      throw new JobRefused('DELAY_INVALID', `the delay ${noDuration(delay)}`, {
        kind,
        key,
        field: 'delay',
      });
    const checked = await checkValue(schema.payload, payload);
    if (checked.fault !== undefined)
      throw new JobRefused('PAYLOAD_INVALID', checked.fault, {
        kind,
        key,
        field: checked.path === '' ? 'payload' : `payload.${checked.path}`,
      });
    // What was given is stored, and not what the schema made of it, because each attempt asks the schema again.
    const job = requestedJob(declared, { key, payload: asJson(payload), priority });
    const { record, isNew } = await stored.enqueuer.add(job, delayMs);
    // Of a new job everything is known, so nothing is read: callers of thousands of jobs share a few statements.
    const [shown] = isNew
      ? [storedJobOf({ job: record, state: 'pending', deferred: undefined }, NO_RESULTS)]
      : await this.#show([record]);
    return shown as StoredJob<Kinds, Kind>;
  }

  async get(id: string): Promise<StoredJob<Kinds> | undefined> {
    const record = await this.#requireStored().stores.jobs.find(id);
    if (record === null) return undefined;
    return (await this.#show([record]))[0];
  }

  async *list(filter: ListFilter<Kinds> = {}): AsyncIterableIterator<StoredJob<Kinds>> {
    const { kind, isDescending = false } = filter;
    const kinds =
      kind === undefined ? (Object.keys(this.#options.kinds) as Name<Kinds>[]).sort() : [kind];
    if (isDescending) kinds.reverse();
    const lists = kinds.map((each) => this.#listKind(each, filter));
    const read = async (list: AsyncIterator<StoredJob<Kinds>, undefined>) =>
      (await list.next()).value;
    const heads = await Promise.all(lists.map(read));
    for (;;) {
      const first = firstByKey(heads, isDescending);
      const head = heads[first];
      const list = lists[first];
      if (head === undefined || list === undefined) return;
      yield head;
      heads[first] = await read(list);
    }
  }

  async *#listKind(
    kind: Name<Kinds>,
    filter: ListFilter<Kinds>,
  ): AsyncGenerator<StoredJob<Kinds>, undefined> {
    const { jobs } = this.#requireStored().stores;
    const { state, since, until, error, isDescending = false } = filter;
    let range = rangeOf(kind, filter);
    for (;;) {
      const page = await jobs.search({
        ...range,
        isDescending,
        state: state === 'queued' ? 'pending' : state,
        createdSince: since,
        createdUntil: until,
        reasonPattern: error === undefined ? undefined : escapePattern(error),
        limit: PAGE_COUNT,
      });
      for (const job of await this.#show(page))
        if (state === undefined || job.state === state) yield job;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_COUNT) return undefined;
      range = isDescending ? { ...range, below: last._id } : { ...range, above: last._id };
    }
  }

  async cancel(id: string): Promise<boolean> {
    return await cancelJob(this.#requireStored().stores, id);
  }

  async replay(
    filter: Omit<JobFilter<Kinds>, 'state'> = {},
  ): Promise<{ readonly replayed: number }> {
    const { stores, countingRuns, tasks } = this.#requireStored();
    const { kind, keyPrefix, since, until, error } = filter;
    const wanted: ReplayFilter = {
      ...(kind === undefined ? {} : { kind }),
      ...(keyPrefix === undefined
        ? {}
        : { keyPattern: String.raw`${escapePattern(keyPrefix)}[\s\S]*` }),
      ...(error === undefined ? {} : { reasonPattern: escapePattern(error) }),
      ...(since === undefined ? {} : { createdSince: since }),
      ...(until === undefined ? {} : { createdUntil: until }),
    };
    const replayed = await replayDead({
      stores,
      countingRuns,
      filter: wanted,
      replayId: `replay-${randomUUID()}`,
      onProgress: () => tasks?.relay?.wake(),
    });
    return { replayed };
  }

  async work<Kind extends Name<Kinds>>(
    kind: Kind,
    handler: (
      job: JobTask<OutputOf<Kinds[Kind]['payload']>>,
    ) => AnswerOf<Kinds[Kind]> | Promise<AnswerOf<Kinds[Kind]>>,
    options: WorkOptions = {},
  ): Promise<OpenWorker> {
    this.#requireOpen();
    requireCounts(options);
    const { schema, declared } = this.#kindOf(kind);
    const work: KindWork = {
      kind: schema,
      delayCount: declared.tiersMs.length,
      run: handler as (job: JobTask) => unknown,
      onError: options.onError,
    };
    const opening = this.#open(declared, work, options);
    this.#opening.add(opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(opening);
    }
  }

  async #open(
    declared: KindDeclaration,
    work: KindWork,
    options: WorkOptions,
  ): Promise<OpenWorker> {
    const opened = await this.#openWorker(declared, work, options);
    let stopping: Promise<void> | undefined;
    let isStopped = false;
    const stop = async (drainMs: number) => {
      try {
        await opened.close(drainMs);
      } finally {
        isStopped = true;
        this.#workers.delete(worker);
      }
    };
    const worker: OpenWorker = {
      id: opened.id,
      get health() {
        if (isStopped) return 'stopped';
        if (stopping !== undefined) return 'stopping';
        if (!opened.isUp) return 'disconnected';
        return opened.isPaused ? 'paused' : 'running';
      },
      pause: () => opened.pause(),
      resume: () => {
        opened.resume();
      },
      stop: async ({ deadline = DEFAULT_STOP } = {}) => {
        const drainMs = requireDuration('deadline', deadline);
        stopping ??= stop(drainMs);
        await stopping;
      },
    };
    this.#workers.add(worker);
    if (this.#closing !== undefined) {
      // The close has not seen this worker, and would close the database under it.
      await worker.stop({ deadline: 0 });
      this.#requireOpen();
    }
    return worker;
  }

  async #openWorker(
    declared: KindDeclaration,
    work: KindWork,
    { concurrency = DEFAULT_CONCURRENCY, prefetch = 2 * concurrency, report }: WorkOptions,
  ): Promise<JobWorker | ReportingWorker> {
    const shared = {
      connection: await this.#broker.connection(),
      declaration: this.declaration,
      kind: declared,
      concurrency,
      prefetchCount: prefetch,
      onEvent: this.#options.onEvent ?? logFailures,
    };
    if (report !== undefined) return await ReportingWorker.open({ ...shared, work, report });
    const { stores, results, endCounter } = this.#requireStored();
    const handler: Handler = {
      payload: ANY_PAYLOAD,
      run: (job) => runAttempt(work, job),
      store: (found) => results.storeAll(found as Parameters<ResultStore['storeAll']>[0]),
      ...(work.kind.result === undefined
        ? {}
        : { findStored: (jobs) => results.findStored(jobs.map(({ id }) => id)) }),
    };
    return await JobWorker.open({
      ...shared,
      deadlineMs: declared.deadlineMs,
      handlers: new Map([[declared.kind, handler]]),
      stores,
      endCounter,
    });
  }

  async recordReport(report: unknown): Promise<void> {
    await recordReport(report, this.#requireStored(), this.#options.kinds);
  }

  async close({ deadline = DEFAULT_STOP }: StopOptions = {}): Promise<void> {
    requireDuration('deadline', deadline);
    this.#closing ??= this.#close({ deadline });
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(options: StopOptions): Promise<void> {
    this.#broker.abandon();
    const stopped = await Promise.allSettled(
      [...this.#workers].map((worker) => worker.stop(options)),
    );
    // The caller of `work` gets the error of an opening that failed.
    await Promise.allSettled(this.#opening);
    const closed = await Promise.allSettled([this.#stored?.close()]);
    const disconnected = await Promise.allSettled([this.#broker.close()]);
    throwAll(
      [...stopped, ...closed, ...disconnected].flatMap((step) =>
        step.status === 'rejected' ? [step.reason as unknown] : [],
      ),
    );
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new Error('these jobs are closed');
  }

  #requireStored(): Stored {
    if (this.#stored === undefined)
      throw new Error('this needs the database, and openJobs was called without one');
    this.#requireOpen();
    return this.#stored;
  }

  #kindOf(kind: string) {
    const schema = this.#options.kinds[kind];
    const declared = this.declaration.kinds.find((each) => each.kind === kind);
    if (schema === undefined || declared === undefined)
      throw new JobRefused(
        'KIND_UNKNOWN',
        `the kind '${kind}' is none of ${Object.keys(this.#options.kinds).join(', ')}`,
        { kind, field: 'kind' },
      );
    return { schema, declared };
  }

  async #show(records: readonly JobRecord[]): Promise<StoredJob<Kinds>[]> {
    if (this.#stored === undefined) return [];
    const { stores, results } = this.#stored;
    const shown = await showJobs(stores.batches, records);
    const withResult = records.filter(
      ({ kind, state }) => state === 'done' && this.#options.kinds[kind]?.result !== undefined,
    );
    const found = await results.findAll(withResult.map(({ _id }) => _id));
    return shown.map((job) => storedJobOf(job, found) as StoredJob<Kinds>);
  }
}

/** Ids between which the jobs of a kind are. */
interface IdRange {
  readonly from: string;
  readonly above: string | undefined;
  readonly below: string;
}

function rangeOf(
  kind: string,
  {
    keyPrefix = '',
    after,
    isDescending = false,
  }: {
    readonly keyPrefix?: string;
    readonly after?: { readonly key: string; readonly kind?: string };
    readonly isDescending?: boolean;
  },
): IdRange {
  const from = jobId(kind, keyPrefix);
  const below = keyPrefix === '' ? `${kind};` : `${from}${LAST_CHARACTER}`;
  if (after === undefined) return { from, above: undefined, below };
  const bound = jobId(kind, after.key);
  // Jobs with the same key are in the order of their kinds, so those of some kinds still follow.
  const isFollowing =
    after.kind !== undefined && (isDescending ? kind < after.kind : kind > after.kind);
  if (isDescending) {
    const end = isFollowing ? `${bound}\0` : bound;
    return { from, above: undefined, below: compareTexts(end, below) < 0 ? end : below };
  }
  if (compareTexts(bound, from) < 0) return { from, above: undefined, below };
  return isFollowing ? { from: bound, above: undefined, below } : { from, above: bound, below };
}

/** @returns the position of the head that comes first; of equal keys that of the first kind; -1 without a head. */
function firstByKey(
  heads: readonly ({ readonly key: string } | undefined)[],
  isDescending: boolean,
): number {
  let first = -1;
  for (const [index, head] of heads.entries()) {
    if (head === undefined) continue;
    const best = heads[first];
    const order = best === undefined ? -1 : compareTexts(head.key, best.key);
    if (best === undefined || (isDescending ? order > 0 : order < 0)) first = index;
  }
  return first;
}

/** @throws TypeError */
function requireCounts({
  concurrency = DEFAULT_CONCURRENCY,
  prefetch = 2 * concurrency,
  report,
}: WorkOptions): void {
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new TypeError(`concurrency must be a whole number of at least 1, not ${concurrency}`);
  // The reconciler relies on it: such a worker does not say which messages it holds.
  const most = report === undefined ? MOST_PREFETCHED : 2 * concurrency;
  if (!Number.isInteger(prefetch) || prefetch < concurrency || prefetch > most)
    throw new TypeError(
      `prefetch must be a whole number from ${concurrency} to ${most}, not ${prefetch}`,
    );
}

function storedJobOf(
  { job, state }: ShownJob,
  results: ReadonlyMap<string, unknown>,
): StoredJob<JobKinds> {
  const error = job.death?.reason ?? errorOf(job.attempts?.at(-1));
  const hasError = state !== 'done' && error !== undefined;
  return {
    id: job._id,
    kind: job.kind,
    key: keyOf(job._id),
    state,
    payload: job.payload,
    attempts: job.attemptCount,
    ...(hasError ? { error } : {}),
    ...(results.has(job._id) ? { result: results.get(job._id) as undefined } : {}),
    createdAt: job.createdAt,
    updatedAt: job.stateAt,
  };
}

function errorOf(attempt: AttemptRecord | undefined): string | undefined {
  return attempt?.error?.message ?? attempt?.reason;
}

function staleAfterMs({ staleAfter }: OpenJobsOptions<JobKinds>, declaration: Declaration): number {
  if (staleAfter !== undefined) return requireDuration('staleAfter', staleAfter);
  const deadlines = declaration.kinds.map(({ deadlineMs }) => deadlineMs);
  return defaultStaleAfterMs(declaration) + Math.max(...deadlines);
}

/** A date that is further away than a thousand years cannot be stored everywhere. */
const DAY_MS = 86_400_000;
const LONGEST_DURATION_MS = 365_000 * DAY_MS;

/** @returns milliseconds; undefined where the value is no duration: unreadable, negative or endless. */
function readDuration(duration: Duration): number | undefined {
  const ms = parseDurationMs(duration);
  return ms !== undefined && ms >= 0 && ms <= LONGEST_DURATION_MS ? ms : undefined;
}

/** Results are deleted with their jobs. */
function keptFor(days: number): RetentionPolicy {
  return { jobDays: days, effectDays: days };
}

/** @throws TypeError */
function requireDays(days: number): void {
  if (!(days > 0 && days * DAY_MS <= LONGEST_DURATION_MS))
    throw new TypeError(`keepDays must be a number of days above 0, not ${days}`);
}

/** @throws TypeError where two collections have one name: their documents would be mixed. */
function requireDistinct(
  collections: NonNullable<OpenJobsOptions<JobKinds>['collections']>,
  prefix: string,
): void {
  const unknown = Object.keys(collections).filter((name) => !isCollectionName(name));
  if (unknown.length > 0)
    throw new TypeError(`collections: there is no collection ${unknown.join(', ')}`);
  const names = COLLECTION_NAMES.map((name) => collections[name] ?? prefix + name);
  const twice = names.filter((name, index) => names.indexOf(name) < index);
  if (twice.length > 0 || names.includes(''))
    throw new TypeError(`collections: '${twice.join()}' is the name of several, or one is empty`);
}

function noDuration(duration: Duration): string {
  return `'${duration}' is no duration such as '5s'`;
}

/** @throws TypeError where the value is no duration. */
function requireDuration(name: string, duration: Duration): number {
  const ms = readDuration(duration);
  if (ms === undefined) throw new TypeError(`the ${name} ${noDuration(duration)}`);
  return ms;
}

/** @throws the error, or all of them in one. */
function throwAll(errors: readonly unknown[]): void {
  if (errors.length > 1) throw new AggregateError(errors, 'several steps of the close failed');
  if (errors.length === 1) throw errors[0];
}

function logFailures(event: JobEvent): void {
  if (event.type === 'storeDown' || event.type === 'stageFailed')
    console.error(`jobs: ${event.stage}: ${event.error.message}`);
  if (event.type === 'storeUp') console.error(`jobs: ${event.stage}: the database answers again`);
}
