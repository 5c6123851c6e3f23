/** What the monolith does beside answering: relay, reconcile, take in dead letters. */

import {
  type JobListener,
  type JobTracer,
  LeasedLoop,
  openDeadLetterRecorder,
  type RelayOptions,
  reconcileOnce,
  relayOnce,
  staleAfterMs,
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
  readonly letters: DeadLetterStore;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
  readonly onSession: (event: SessionEvent) => void;
  readonly onPublish: (end: PublishEnd) => void;
  /** A task that ends no round for longer than this, in milliseconds, counts as stuck; default `TURN_LIMIT_MS`. */
  readonly turnLimitMs?: number;
}

/** The tasks that run in the background, in one process at a time. */
export type TaskName = 'relay' | 'reconcile';

export interface BackgroundTasks {
  readonly isUp: boolean;
  /** Why the topology is not as declared and cannot be mended; undefined where it is. */
  readonly topologyFault: string | undefined;
  /** An alarm of the broker keeps the relay from publishing. */
  readonly isBlocked: boolean;
  /** Publishes without an answer yet. */
  readonly pendingPublishCount: number;
  /** @returns why a task counts as stuck, which a restart would mend; undefined while it goes on, also in an outage. */
  stuck(task: TaskName): string | undefined;
  /** There are new records: relay now. */
  wake(): void;
  stop(): Promise<void>;
}

const BATCH_COUNT = 1_000;
/** `wake` ends this pause for new records of this process; the pause bounds the delay of records that another process accepted, and of deferred ones. */
const RELAY_PAUSE_MS = 500;
const RECONCILE_PAUSE_MS = 5_000;
/**
 * Every call of a round has a deadline (a statement, a confirm, a connect), so that an outage ends the round within some
 * tens of seconds, and the task goes on. Whoever ends none for two minutes hangs.
 */
const TURN_LIMIT_MS = 120_000;

export async function startBackgroundTasks(
  options: BackgroundTaskOptions,
): Promise<BackgroundTasks> {
  const session = { url: options.amqpUrl, onEvent: options.onSession };
  const keeper = new TopologyMaintainer(options.declaration, options);
  const publisher = await Publisher.open({
    ...session,
    label: 'monolith relays',
    maxUnconfirmed: BATCH_COUNT,
    onPublish: options.onPublish,
    prepare: keeper.prepare,
  });
  const inspector = await Inspector.open({ ...session, label: 'monolith inspects' });
  const intakes = options.isIntakeOn
    ? await Promise.all(
        options.declaration.kinds.map((kind) => openDeadLetterRecorder({ ...options, kind })),
      )
    : [];
  const readyCount = async (queue: string) => (await inspector.depthOf(queue)).readyCount;
  const isReady = () => publisher.isReady && inspector.isUp;
  const { turnLimitMs = TURN_LIMIT_MS } = options;
  const pulses = { relay: new Heartbeat(turnLimitMs), reconcile: new Heartbeat(turnLimitMs) };
  const relay = startRelay(
    { ...options, publisher, readyCount, batchCount: BATCH_COUNT },
    isReady,
    pulses.relay,
  );
  const reconciler = startReconciler(
    { ...options, inspector, readyCount },
    relay,
    pulses.reconcile,
  );
  return {
    get isUp() {
      return publisher.isUp && inspector.isUp && intakes.every(({ isUp }) => isUp);
    },
    get topologyFault() {
      return keeper.fault;
    },
    get isBlocked() {
      return publisher.isBlocked;
    },
    get pendingPublishCount() {
      return publisher.pendingCount;
    },
    stuck: (task) => pulses[task].check(),
    wake: () => {
      relay.wake();
    },
    stop: async () => {
      await Promise.all([relay.stop(), reconciler.stop()]);
      await Promise.all(intakes.map((intake) => intake.close()));
      await inspector.close();
      await publisher.close();
    },
  };
}

/** @returns a check of liveness for each task, by its name. Before they are started nothing is stuck. */
export function livenessOf(
  tasks: () => Pick<BackgroundTasks, 'stuck'> | undefined,
): Readonly<Record<TaskName, () => string | undefined>> {
  return {
    relay: () => tasks()?.stuck('relay'),
    reconcile: () => tasks()?.stuck('reconcile'),
  };
}

function startRelay(
  relay: RelayOptions & BackgroundTaskOptions,
  isReady: () => boolean,
  pulse: Heartbeat,
): LeasedLoop {
  const { leases, onEvent } = relay;
  return new LeasedLoop({
    name: 'relay',
    leases,
    onEvent,
    pauseMs: RELAY_PAUSE_MS,
    onTurn: () => {
      pulse.beat();
    },
    round: async () => {
      const count = await relayOnce(relay);
      // Blocked or disconnected it does nothing, and that is no round that ended well.
      if (isReady()) onEvent({ type: 'roundEnded', task: 'relay' });
      return count === BATCH_COUNT;
    },
  });
}

function startReconciler(
  options: BackgroundTaskOptions & { readonly inspector: Inspector } & Pick<
      RelayOptions,
      'readyCount'
    >,
  relay: LeasedLoop,
  pulse: Heartbeat,
): LeasedLoop {
  return new LeasedLoop({
    name: 'reconcile',
    leases: options.leases,
    onEvent: options.onEvent,
    pauseMs: RECONCILE_PAUSE_MS,
    onTurn: () => {
      pulse.beat();
    },
    round: async () => {
      // Without the broker nothing can be said to be lost.
      if (!options.inspector.isUp) return false;
      const count = await reconcileOnce({
        ...options,
        quietMs: options.reconcileAfterMs ?? staleAfterMs(options.declaration),
      });
      options.onEvent({ type: 'roundEnded', task: 'reconcile' });
      if (count > 0) relay.wake();
      return false;
    },
  });
}
