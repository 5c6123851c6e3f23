/**
 * The monolith's work beside answering requests. The relay records and publishes the jobs of runs; every monolith has one, and
 * all of them share the work. The reconciler ends what has ended and publishes lost jobs again, the retention deletes what is
 * old; each of them works in one process at a time, under a lease. A recorder per kind of job moves dead letters from the
 * broker into the database.
 */
import {
  defaultStaleAfterMs,
  EndCounter,
  type JobListener,
  type JobTracer,
  LeasedLoop,
  openDeadLetterRecorder,
  Reconciler,
  type RecordDeadLettersOptions,
  Relay,
  Retention,
  type RunSource,
} from '@fit/jobs';
import type { JobStores, RunStore } from '@fit/jobs/store';
import { Heartbeat } from '@fit/service';
import type { Declaration } from '@fit/topology';
import { Inspector, type PublishEnd, Publisher, type SessionEvent } from '@fit/topology/amqp';
import { TopologyMaintainer } from '@fit/topology/assert';
import type { MonolithConfig } from './readMonolithConfig.ts';
import type { RunExpander } from './runs/runStarter.ts';

export interface BackgroundTaskOptions extends MonolithConfig {
  readonly declaration: Declaration;
  /** Stores for background tasks: their statements have limits that end before a lease does. */
  readonly stores: JobStores;
  readonly source: RunSource;
  /** The runs in the same database, whose additions to counters are tried once. */
  readonly countingRuns: RunStore;
  /** What the database knows about the effects of jobs. */
  readonly effects: JobEffects;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
  readonly onSession: (event: SessionEvent) => void;
  readonly onPublish: (end: PublishEnd) => void;
  /** A task that completes no round for longer than this counts as stuck, in milliseconds; default 120,000. */
  readonly stuckAfterMs?: number;
}

/** The effects of jobs, which only workers store. */
export interface JobEffects {
  /** @returns the ids of the jobs whose effect is stored. */
  readonly findStored: RecordDeadLettersOptions['findStoredEffects'];
  /** @returns the ids of the effects of these jobs. */
  readonly idsOf: (kind: string, jobIds: readonly string[]) => readonly string[];
  /** @returns how many effects existed. */
  readonly delete: (kind: string, ids: readonly string[]) => Promise<number>;
}

export type TaskName = (typeof TASK_NAMES)[number];
const TASK_NAMES = ['relay', 'reconcile', 'retention'] as const;

export interface BackgroundTasks {
  readonly isUp: boolean;
  /** Why the broker differs from the declaration in a way that asserting it cannot repair; undefined if it does not. */
  readonly topologyFault: string | undefined;
  /** True while an alarm of the broker stops publishers, and with them the relay. */
  readonly isBlocked: boolean;
  /** Publishes that the broker has not confirmed yet. */
  readonly pendingPublishCount: number;
  /** The relay, for new runs; undefined once the tasks are stopping. */
  readonly expander: RunExpander | undefined;
  /**
   * @returns why the task counts as stuck; undefined while it completes rounds, which it also does in an outage and while the
   * queue is as full as it should be.
   */
  stuck(task: TaskName): string | undefined;
  stop(): Promise<void>;
}

/** Messages that wait for their confirms at a time: two batches, so that the broker never waits for the next one. */
const MAX_UNCONFIRMED = 2_000;
/** How long a stop waits for confirms. What is not confirmed then is published again by another relay. */
const STOP_CONFIRM_LIMIT_MS = 5_000;
const RECONCILE_PAUSE_MS = 5_000;
const RETENTION_PAUSE_MS = 60_000;
/**
 * Every call of a round has a deadline (a statement, a confirm, a connect), so even in an outage a round ends within a few
 * tens of seconds. A task that completes none for two minutes hangs, and a restart is the remedy.
 */
const STUCK_AFTER_MS = 120_000;

/** @throws TopologyError if the broker cannot be made equal to the declaration. */
export async function startBackgroundTasks(
  options: BackgroundTaskOptions,
): Promise<BackgroundTasks> {
  const { declaration, stores, onEvent, stuckAfterMs = STUCK_AFTER_MS } = options;
  const session = { url: options.amqpUrl, onEvent: options.onSession };
  const maintainer = new TopologyMaintainer(declaration, options);
  const publisher = await Publisher.open({
    ...session,
    label: 'monolith relay',
    maxUnconfirmed: MAX_UNCONFIRMED,
    // A message that is sent again while its broker only hangs arrives twice. The heartbeat of the connection decides.
    confirmTimeoutMs: Infinity,
    onPublish: options.onPublish,
    prepare: maintainer.prepare,
  });
  const inspector = await Inspector.open({ ...session, label: 'monolith inspector' });
  const endCounter = new EndCounter({ runs: stores.runs, countingRuns: options.countingRuns });
  const recorders = options.isDeadLetterRecorderOn
    ? await Promise.all(
        declaration.kinds.map((kind) =>
          openDeadLetterRecorder({
            ...options,
            kind,
            endCounter,
            findStoredEffects: options.effects.findStored,
          }),
        ),
      )
    : [];
  const readyCount = async (queue: string) => (await inspector.depthOf(queue)).readyCount;
  const heartbeats = {
    relay: new Heartbeat(stuckAfterMs),
    reconcile: new Heartbeat(stuckAfterMs),
    retention: new Heartbeat(stuckAfterMs + RETENTION_PAUSE_MS),
  };
  const relay = new Relay({
    ...options,
    publisher,
    readyCount,
    onIteration: () => {
      heartbeats.relay.beat();
    },
  });
  const reconciler = new Reconciler({
    ...options,
    readyCount,
    staleAfterMs: options.staleAfterMs ?? defaultStaleAfterMs(declaration),
  });
  const reconcileLoop = new LeasedLoop({
    name: 'reconcile',
    leases: stores.leases,
    onEvent,
    pauseMs: RECONCILE_PAUSE_MS,
    onIteration: () => {
      heartbeats.reconcile.beat();
    },
    round: async () => {
      // Only the broker can report which jobs its queues still hold, so without it no job counts as lost.
      if (!inspector.isUp) return false;
      const { lostCount, hasMore } = await reconciler.round();
      onEvent({ type: 'roundEnded', task: 'reconcile' });
      if (lostCount > 0) relay.wake();
      return hasMore;
    },
  });
  const retention = new Retention({
    stores,
    policy: { jobDays: options.jobRetentionDays, effectDays: options.workoutRetentionDays },
    effectIdsOf: options.effects.idsOf,
    deleteEffects: options.effects.delete,
    onEvent,
  });
  const retentionLoop = new LeasedLoop({
    name: 'retention',
    leases: stores.leases,
    onEvent,
    pauseMs: RETENTION_PAUSE_MS,
    onIteration: () => {
      heartbeats.retention.beat();
    },
    round: async () => {
      const { hasMore } = await retention.round();
      onEvent({ type: 'roundEnded', task: 'retention' });
      return hasMore;
    },
  });
  let isStopping = false;
  return {
    get isUp() {
      return publisher.isUp && inspector.isUp && recorders.every(({ isUp }) => isUp);
    },
    get topologyFault() {
      return maintainer.fault;
    },
    get isBlocked() {
      return publisher.isBlocked;
    },
    get pendingPublishCount() {
      return publisher.pendingCount;
    },
    get expander() {
      return isStopping ? undefined : relay;
    },
    stuck: (task) => heartbeats[task].check(),
    stop: async () => {
      isStopping = true;
      // Closing the publisher ends every wait for a confirm, and with them the pages in work.
      const closing = setTimeout(() => void publisher.close(), STOP_CONFIRM_LIMIT_MS);
      await Promise.all([relay.stop(), reconcileLoop.stop(), retentionLoop.stop()]);
      clearTimeout(closing);
      // At the same time, because closing a connection to a broker that does not answer takes five seconds.
      await Promise.all([
        ...recorders.map((recorder) => recorder.close()),
        inspector.close(),
        publisher.close(),
      ]);
      await endCounter.close();
    },
  };
}

/** @returns a liveness check for each task, by its name. Before the tasks are started none counts as stuck. */
export function livenessOf(
  tasks: () => Pick<BackgroundTasks, 'stuck'> | undefined,
): Readonly<Record<TaskName, () => string | undefined>> {
  const checks = TASK_NAMES.map((name) => [name, () => tasks()?.stuck(name)] as const);
  return Object.fromEntries(checks) as Record<TaskName, () => string | undefined>;
}
