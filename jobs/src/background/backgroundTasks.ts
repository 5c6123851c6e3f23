/**
 * Everything that works beside requests and workers, wired once. The relay records and publishes jobs; every process may have
 * one, and all of them share the work. The reconciler ends what has ended and publishes lost jobs again, the retention deletes
 * what is old; each of them works in one process at a time, under a lease. A recorder for each kind of job moves dead letters
 * from the broker into the database.
 */
import type { Connection, Declaration } from '@fit/topology';
import {
  type DeadLetterRecorder,
  openDeadLetterRecorder,
} from '../dead-letters/deadLetterRecorder.ts';
import type { RecordDeadLettersOptions } from '../dead-letters/recordDeadLetters.ts';
import type { JobListener } from '../jobEvent.ts';
import { defaultStaleAfterMs, Reconciler } from '../reconcile/reconciler.ts';
import { openRelayPublisher, type RelayPublisher } from '../relay/jobPublisher.ts';
import { Relay } from '../relay/relay.ts';
import type { RunSource } from '../relay/runSource.ts';
import { Retention, type RetentionPolicy } from '../retention/retention.ts';
import { EndCounter } from '../settle/endCounter.ts';
import type { JobStores } from '../store/jobStores.ts';
import type { RunStore } from '../store/runStore.ts';
import type { JobTracer } from '../trace/jobTracer.ts';
import { LeasedLoop } from './leasedLoop.ts';

/** What a process may do beside requests and workers. */
export const TASK_NAMES = ['relay', 'reconcile', 'deadLetters', 'retention'] as const;
export type TaskName = (typeof TASK_NAMES)[number];
/** The tasks that work in rounds, so that one of them may hang. */
export type LoopTask = Exclude<TaskName, 'deadLetters'>;

export interface BackgroundTaskOptions {
  /** Its owner closes it after the tasks. */
  readonly connection: Connection;
  readonly declaration: Declaration;
  /** Default: all. */
  readonly tasks?: readonly TaskName[];
  /** Stores for background tasks: their statements have limits that end before a lease does. */
  readonly stores: JobStores;
  /** The runs in the same database, whose additions to counters are tried once. */
  readonly countingRuns: RunStore;
  /** Counts the ends of jobs for their runs, and is closed by its owner; default: one that is closed with the tasks. */
  readonly endCounter?: EndCounter;
  /** Makes the jobs of runs; without it the relay expands no run. */
  readonly source?: RunSource;
  /** Seconds of work that the relay keeps in a main queue, asked again and again; default 5. */
  readonly targetSeconds?: () => number;
  /** What the database knows about the effects of jobs. */
  readonly effects: JobEffects;
  readonly retentionPolicy: RetentionPolicy;
  /** The policies of kinds that have one of their own. */
  readonly retentionPolicyOf?: Readonly<Record<string, RetentionPolicy>>;
  /** A job without a change for longer is stale, in milliseconds; default `defaultStaleAfterMs`. */
  readonly staleAfterMs?: number | undefined;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
  /**
   * Called after each round of a task, also where it failed or had nothing to do. Every call of a round has a deadline (a
   * statement, a confirm, a connect), so even in an outage a round ends within a few tens of seconds; a task that is silent
   * for two minutes longer than `ROUND_PAUSE_MS` hangs.
   */
  readonly onRound?: (task: LoopTask) => void;
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

export interface BackgroundTasks {
  /** True while everything that the tasks use on the broker is open. */
  readonly isUp: boolean;
  /** Why the broker differs from the declaration in a way that asserting it cannot repair; undefined if it does not. */
  readonly topologyFault: string | undefined;
  /** True while an alarm of the broker stops publishers, and with them the relay. */
  readonly isBlocked: boolean;
  /** Publishes that the broker has not confirmed yet. */
  readonly pendingPublishCount: number;
  /** The relay, for new runs and jobs; undefined without that task, and once the tasks are stopping. */
  readonly relay: Relay | undefined;
  stop(): Promise<void>;
}

/** How long a stop waits for confirms. What is not confirmed then is published again by another relay. */
const STOP_CONFIRM_LIMIT_MS = 5_000;
/** Pauses between two rounds, in milliseconds. */
export const ROUND_PAUSE_MS: Readonly<Record<LoopTask, number>> = {
  relay: 1_000,
  reconcile: 5_000,
  retention: 60_000,
};

/** @throws TopologyError if the broker cannot be made equal to the declaration. */
export async function startBackgroundTasks(
  options: BackgroundTaskOptions,
): Promise<BackgroundTasks> {
  const { connection, declaration, stores, onEvent, onRound, tasks = TASK_NAMES } = options;
  const has = (task: TaskName) => tasks.includes(task);
  const endCounter =
    options.endCounter ?? new EndCounter({ runs: stores.runs, countingRuns: options.countingRuns });
  const { publisher, recorders } = await openBrokerParts(options, { has, endCounter });
  const depthOf = (queue: string) => connection.depthOf(queue);
  const relay =
    publisher === undefined
      ? undefined
      : new Relay({
          declaration,
          publisher,
          stores,
          ...(options.source === undefined ? {} : { source: options.source }),
          targetSeconds: options.targetSeconds,
          readyCount: async (queue) => (await depthOf(queue)).readyCount,
          onEvent,
          tracer: options.tracer,
          onIteration: () => onRound?.('relay'),
        });
  const loop = (name: LoopTask, round: () => Promise<boolean>) =>
    new LeasedLoop({
      name,
      leases: stores.leases,
      onEvent,
      pauseMs: ROUND_PAUSE_MS[name],
      onIteration: () => onRound?.(name),
      round,
    });
  const loops: LeasedLoop[] = [];
  if (has('reconcile')) {
    const reconciler = new Reconciler({
      declaration,
      stores,
      depthOf,
      staleAfterMs: options.staleAfterMs ?? defaultStaleAfterMs(declaration),
      onEvent,
      tracer: options.tracer,
    });
    const round = async () => {
      // Only the broker can report which jobs its queues still hold, so without it no job counts as lost.
      if (!connection.isUp) return false;
      const { lostCount, hasMore } = await reconciler.round();
      onEvent({ type: 'roundEnded', task: 'reconcile' });
      if (lostCount > 0) relay?.wake();
      return hasMore;
    };
    loops.push(loop('reconcile', round));
  }
  if (has('retention')) {
    const retention = new Retention({
      stores,
      policy: options.retentionPolicy,
      ...(options.retentionPolicyOf === undefined ? {} : { policyOf: options.retentionPolicyOf }),
      effectIdsOf: options.effects.idsOf,
      deleteEffects: options.effects.delete,
      onEvent,
    });
    const round = async () => {
      const { hasMore } = await retention.round();
      onEvent({ type: 'roundEnded', task: 'retention' });
      return hasMore;
    };
    loops.push(loop('retention', round));
  }
  let isStopping = false;
  return {
    get isUp() {
      const parts = [publisher, ...recorders];
      return connection.isUp && parts.every((part) => part?.isUp !== false);
    },
    get topologyFault() {
      return publisher?.topologyFault;
    },
    get isBlocked() {
      return connection.isBlocked;
    },
    get pendingPublishCount() {
      return publisher?.unconfirmed ?? 0;
    },
    get relay() {
      return isStopping ? undefined : relay;
    },
    stop: async () => {
      isStopping = true;
      // Closing the publisher ends every wait for a confirm, and with them the pages in work.
      const closing = setTimeout(
        () => void publisher?.close({ deadline: 0 }),
        STOP_CONFIRM_LIMIT_MS,
      );
      await Promise.all([relay?.stop(), ...loops.map((each) => each.stop())]);
      clearTimeout(closing);
      // At the same time, because closing a channel of a broker that does not answer takes five seconds.
      await Promise.all([
        ...recorders.map((recorder) => recorder.close()),
        publisher?.close({ deadline: 0 }),
      ]);
      if (options.endCounter === undefined) await endCounter.close();
    },
  };
}

interface BrokerParts {
  readonly publisher: RelayPublisher | undefined;
  readonly recorders: readonly DeadLetterRecorder[];
}

/** @throws whatever the first opening throws that fails; then the other parts are closed, as nobody else knows them. */
async function openBrokerParts(
  options: BackgroundTaskOptions,
  parts: { readonly has: (task: TaskName) => boolean; readonly endCounter: EndCounter },
): Promise<BrokerParts> {
  const { connection, declaration } = options;
  const { has, endCounter } = parts;
  const opened: { close(): Promise<unknown> }[] = [];
  const keep = async <Opened extends { close(): Promise<unknown> }>(opening: Promise<Opened>) => {
    const part = await opening;
    opened.push(part);
    return part;
  };
  try {
    const publisher = has('relay')
      ? await keep(openRelayPublisher(connection, declaration))
      : undefined;
    const openings = (has('deadLetters') ? declaration.kinds : []).map((kind) =>
      keep(
        openDeadLetterRecorder({
          ...options,
          kind,
          endCounter,
          findStoredEffects: options.effects.findStored,
        }),
      ),
    );
    // One that opens after another one has failed must be closed as well.
    await Promise.allSettled(openings);
    return { publisher, recorders: await Promise.all(openings) };
  } catch (error) {
    await Promise.allSettled(opened.map((part) => part.close()));
    throw error;
  }
}
