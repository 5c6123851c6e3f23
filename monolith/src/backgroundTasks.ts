/**
 * The monolith's work beside answering requests. The relay publishes pending job records, the reconciler makes stale jobs
 * pending again, and a recorder per kind of job moves dead letters from the broker into the database.
 */
import {
  defaultStaleAfterMs,
  type JobListener,
  type JobTracer,
  LeasedLoop,
  openDeadLetterRecorder,
  RELAY_BATCH_COUNT,
  reconcileOnce,
  relayOnce,
} from '@fit/jobs';
import type { DeadLetterStore, JobStore, LeaseStore } from '@fit/jobs/store';
import { Heartbeat } from '@fit/service';
import type { Declaration } from '@fit/topology';
import { Inspector, type PublishEnd, Publisher, type SessionEvent } from '@fit/topology/amqp';
import { TopologyMaintainer } from '@fit/topology/assert';
import type { MonolithConfig } from './readMonolithConfig.ts';

export interface BackgroundTaskOptions extends MonolithConfig {
  readonly declaration: Declaration;
  readonly store: JobStore;
  readonly leases: LeaseStore;
  readonly deadLetters: DeadLetterStore;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
  readonly onSession: (event: SessionEvent) => void;
  readonly onPublish: (end: PublishEnd) => void;
  /** A task that completes no round for longer than this counts as stuck, in milliseconds; default 120,000. */
  readonly stuckAfterMs?: number;
}

/** The tasks that one process at a time does, by the name of their lease. */
export type TaskName = 'relay' | 'reconcile';

export interface BackgroundTasks {
  readonly isUp: boolean;
  /** Why the broker differs from the declaration in a way that asserting it cannot repair; undefined if it does not. */
  readonly topologyFault: string | undefined;
  /** True while an alarm of the broker stops publishers, and with them the relay. */
  readonly isBlocked: boolean;
  /** Publishes that the broker has not confirmed yet. */
  readonly pendingPublishCount: number;
  /** @returns why the task counts as stuck; undefined while it completes rounds, which it also does in an outage. */
  stuck(task: TaskName): string | undefined;
  /** Starts a round of the relay at once, because there are new pending records. */
  wake(): void;
  stop(): Promise<void>;
}

/** `wake` ends this pause for records of this process; the pause is for records of other processes and deferred ones. */
const RELAY_PAUSE_MS = 500;
const RECONCILE_PAUSE_MS = 5_000;
/**
 * Every call of a round has a deadline (a statement, a confirm, a connect), so even in an outage a round ends within a few
 * tens of seconds. A task that completes none for two minutes hangs, and a restart is the remedy.
 */
const STUCK_AFTER_MS = 120_000;

/** @throws TopologyError if the broker cannot be made equal to the declaration. */
export async function startBackgroundTasks(
  options: BackgroundTaskOptions,
): Promise<BackgroundTasks> {
  const { declaration, leases, onEvent, stuckAfterMs = STUCK_AFTER_MS } = options;
  const session = { url: options.amqpUrl, onEvent: options.onSession };
  const maintainer = new TopologyMaintainer(declaration, options);
  const publisher = await Publisher.open({
    ...session,
    label: 'monolith relay',
    maxUnconfirmed: RELAY_BATCH_COUNT,
    onPublish: options.onPublish,
    prepare: maintainer.prepare,
  });
  const inspector = await Inspector.open({ ...session, label: 'monolith inspector' });
  const recorders = options.isDeadLetterRecorderOn
    ? await Promise.all(
        declaration.kinds.map((kind) => openDeadLetterRecorder({ ...options, kind })),
      )
    : [];
  const readyCount = async (queue: string) => (await inspector.depthOf(queue)).readyCount;
  const heartbeats = { relay: new Heartbeat(stuckAfterMs), reconcile: new Heartbeat(stuckAfterMs) };
  const relay = new LeasedLoop({
    name: 'relay',
    leases,
    onEvent,
    pauseMs: RELAY_PAUSE_MS,
    onIteration: () => {
      heartbeats.relay.beat();
    },
    round: async () => {
      const count = await relayOnce({ ...options, publisher, readyCount });
      // While the broker blocks publishers or is away a round does nothing, so it is not reported as completed.
      if (publisher.isReady && inspector.isUp) onEvent({ type: 'roundEnded', task: 'relay' });
      return count === RELAY_BATCH_COUNT;
    },
  });
  const reconciler = new LeasedLoop({
    name: 'reconcile',
    leases,
    onEvent,
    pauseMs: RECONCILE_PAUSE_MS,
    onIteration: () => {
      heartbeats.reconcile.beat();
    },
    round: async () => {
      // Only the broker can report which jobs its queues still hold, so without it no job counts as lost.
      if (!inspector.isUp) return false;
      const count = await reconcileOnce({
        ...options,
        readyCount,
        staleAfterMs: options.staleAfterMs ?? defaultStaleAfterMs(declaration),
      });
      onEvent({ type: 'roundEnded', task: 'reconcile' });
      if (count > 0) relay.wake();
      return false;
    },
  });
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
    stuck: (task) => heartbeats[task].check(),
    wake: () => {
      relay.wake();
    },
    stop: async () => {
      await Promise.all([relay.stop(), reconciler.stop()]);
      await Promise.all(recorders.map((recorder) => recorder.close()));
      await inspector.close();
      await publisher.close();
    },
  };
}

/** @returns a liveness check for each task, by its name. Before the tasks are started none counts as stuck. */
export function livenessOf(
  tasks: () => Pick<BackgroundTasks, 'stuck'> | undefined,
): Readonly<Record<TaskName, () => string | undefined>> {
  return {
    relay: () => tasks()?.stuck('relay'),
    reconcile: () => tasks()?.stuck('reconcile'),
  };
}
