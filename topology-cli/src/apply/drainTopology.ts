/** Deletes wait queues of tiers, and queues of delays, that are no longer declared, once their messages have left by themselves. */
import { setTimeout as delay } from 'node:timers/promises';
import { fault, returnExchange, TopologyError, type TopologyPlan } from '@fit/topology';
import type { TopologyAdmin } from '@fit/topology/amqp';
import {
  bindingText,
  formerDelays,
  formerSpreadExchanges,
  formerWaitQueues,
  type LiveBinding,
  type LiveQueue,
  type LiveTopology,
  type ManagementApi,
  readLive,
  readQueues,
} from '@fit/topology/management';
import { extraBindings } from './diffTopology.ts';

/** `collect_statistics_interval` and `quorum_tick_interval` of a broker, both 5 s by default. */
export const DEFAULT_COUNT_INTERVAL_MS = 5_000;
const POLL_INTERVAL_MS = 1_000;
/**
 * A queue counts its messages at each tick, and the API learns the count at the next interval: messages that were there
 * for 8.4 s were still counted as none (measured on 4.3.6; 7.5 s on 3.10.8). Readings therefore prove something only
 * when two intervals lie between them, plus a fifth for late ones.
 */
const PROOF_INTERVALS = 2 * 1.2;

/** `admin` and `api` must belong to the same virtual host. */
export interface DrainOptions {
  readonly admin: TopologyAdmin;
  readonly api: ManagementApi;
  readonly plan: TopologyPlan;
  /** Milliseconds to wait at most; queues that are empty by then are deleted all the same. */
  readonly timeoutMs: number;
  /** How often the broker counts messages; default 5,000 ms. A longer interval only if the broker is configured so. */
  readonly countIntervalMs?: number;
  /** Stops between two polls; no change is left half done. */
  readonly signal: AbortSignal;
  /** Called once a second. */
  readonly onProgress: (progress: DrainProgress) => void;
}

export interface DrainProgress {
  readonly queues: readonly RemainingQueue[];
  /** Milliseconds until the last message should have left its queue; 0 once it is overdue. */
  readonly longestWaitMs: number;
}

/** A former queue that still exists. */
export interface RemainingQueue {
  readonly name: string;
  /** Undefined if the broker has not counted yet. */
  readonly messageCount: number | undefined;
}

export interface DrainReport {
  readonly deletedQueues: readonly string[];
  /** Of delays that are no longer declared. */
  readonly deletedExchanges: readonly string[];
  readonly unboundReturns: readonly string[];
  readonly remaining: readonly RemainingQueue[];
  readonly end: 'drained' | 'timeout' | 'stopped';
}

/**
 * Deletes each former queue once it is proved empty, then removes the return bindings that no queue needs any more and the
 * exchanges of former delays whose queue is gone.
 * @throws TopologyError `TOPOLOGY_DIFFERS` if a former queue is still bound, so new messages would arrive: run
 * apply first. Error if the connection is lost; then run it again.
 */
export async function drainTopology(options: DrainOptions): Promise<DrainReport> {
  const { admin, api, plan, signal, timeoutMs, onProgress } = options;
  const { countIntervalMs = DEFAULT_COUNT_INTERVAL_MS } = options;
  const live = await readLive(api);
  const former = [
    ...formerWaitQueues(plan, live).map(({ queue }) => queue),
    ...formerDelays(plan, live).queues,
  ];
  refuseBoundQueues(
    former.map(({ name }) => name),
    otherBindings(plan, live),
  );
  const startedAtMs = performance.now();
  const proofs = new Map<string, EmptinessProof>();
  const deletedQueues: string[] = [];
  for (;;) {
    const readings = await readFormerQueues(admin, former, await readQueues(api));
    for (const reading of readings) {
      const proof = proveEmpty(
        proofs.get(reading.name),
        reading,
        performance.now(),
        countIntervalMs,
      );
      proofs.set(reading.name, proof);
      if (proof.isProved && (await deleteIfEmpty(options, reading.name)))
        deletedQueues.push(reading.name);
    }
    const left = readings.filter(({ name }) => !deletedQueues.includes(name));
    const remaining = left.map(remainingQueue);
    const elapsedMs = performance.now() - startedAtMs;
    let end: DrainReport['end'] | undefined;
    if (left.length === 0) end = 'drained';
    else if (signal.aborted) end = 'stopped';
    else if (elapsedMs >= timeoutMs) end = 'timeout';
    if (end !== undefined) {
      const unboundReturns = await unbindUnusedReturns(options);
      const deletedExchanges = await deleteUnusedExchanges(options);
      return { deletedQueues, deletedExchanges, unboundReturns, remaining, end };
    }
    // No message has arrived since the start, so the youngest one is at least as old as this run.
    const waitsMs = left
      .filter(({ messageCount, readyCount }) => (messageCount ?? 1) > 0 || readyCount > 0)
      .map(({ ttlMs }) => ttlMs - elapsedMs);
    onProgress({ queues: remaining, longestWaitMs: Math.max(0, ...waitsMs) });
    await delay(POLL_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** One look at a queue. */
export interface QueueReading {
  /** From a passive declare, as `consumerCount`: current, but without unacknowledged messages and those awaiting transfer. */
  readonly readyCount: number;
  readonly consumerCount: number;
  /** From the statistics, as `awaitingTransferCount`: complete, but late; undefined before the first count. */
  readonly messageCount: number | undefined;
  readonly awaitingTransferCount: number;
}

export interface EmptinessProof {
  /** Time of the first in an unbroken row of empty readings; undefined if the last reading was not empty. */
  readonly emptySinceMs: number | undefined;
  readonly isProved: boolean;
}

/**
 * @param before the proof after the reading before; undefined at the first one.
 * @param nowMs monotonic time of the reading.
 */
export function proveEmpty(
  before: EmptinessProof | undefined,
  reading: QueueReading,
  nowMs: number,
  countIntervalMs: number,
): EmptinessProof {
  const { readyCount, messageCount, awaitingTransferCount, consumerCount } = reading;
  // A consumer may hold a message that it requeues.
  const isEmpty =
    readyCount === 0 && messageCount === 0 && awaitingTransferCount === 0 && consumerCount === 0;
  if (!isEmpty) return { emptySinceMs: undefined, isProved: false };
  const emptySinceMs = before?.emptySinceMs ?? nowMs;
  return { emptySinceMs, isProved: nowMs - emptySinceMs >= PROOF_INTERVALS * countIntervalMs };
}

interface FormerQueueReading extends QueueReading {
  readonly name: string;
  readonly ttlMs: number;
}

/** A queue that somebody else has deleted meanwhile is left out. */
async function readFormerQueues(
  admin: TopologyAdmin,
  former: readonly LiveQueue[],
  live: readonly LiveQueue[],
): Promise<FormerQueueReading[]> {
  const readings: FormerQueueReading[] = [];
  for (const { name, arguments: settings } of former) {
    const depth = await admin.depthOf(name);
    const found = live.find((queue) => queue.name === name);
    if (depth === undefined || found === undefined) continue;
    readings.push({
      name,
      ttlMs: Number(settings['x-message-ttl'] ?? 0),
      readyCount: depth.readyCount,
      consumerCount: depth.consumerCount,
      messageCount: found.messageCount,
      awaitingTransferCount: found.awaitingTransferCount ?? 0,
    });
  }
  return readings;
}

/** Looks once more: a queue that was bound or filled since the last look stays. */
async function deleteIfEmpty({ admin, api, plan }: DrainOptions, name: string): Promise<boolean> {
  const live = await readLive(api);
  refuseBoundQueues([name], otherBindings(plan, live));
  // What is left in the first wait queue of a tier may still come to the second one.
  const isFed = live.bindings.some(
    ({ source, destination }) =>
      destination === name && live.queues.some((queue) => queue.name === source),
  );
  if (isFed) return false;
  if ((await admin.depthOf(name))?.readyCount !== 0) return false;
  await admin.deleteQueue(name);
  return true;
}

/** @returns the bindings without those between the former wait queues of a tier with jitter. */
function otherBindings(plan: TopologyPlan, live: LiveTopology): LiveBinding[] {
  const spreads = new Set(formerSpreadExchanges(plan, live).map(({ name }) => name));
  return live.bindings.filter(({ source }) => !spreads.has(source));
}

function refuseBoundQueues(names: readonly string[], bindings: readonly LiveBinding[]): void {
  const faults = names.flatMap((name) =>
    bindings
      .filter((one) => one.destinationType === 'queue' && one.destination === name)
      .map((binding) =>
        fault(
          'QUEUE_BOUND',
          name,
          `it still receives messages by ${bindingText(binding)}: run topology apply first`,
        ),
      ),
  );
  if (faults.length > 0) throw new TopologyError('TOPOLOGY_DIFFERS', faults);
}

/** Also removes bindings that an interrupted run has left. */
async function unbindUnusedReturns({ admin, api, plan }: DrainOptions): Promise<string[]> {
  const returns = new Set(plan.kinds.map(({ queue }) => returnExchange(queue)));
  const unused = extraBindings(plan, await readLive(api))
    .map(({ binding }) => binding)
    .filter(({ source }) => returns.has(source));
  for (const binding of unused) await admin.unbind(binding);
  return unused.map(bindingText);
}

/**
 * A publish to the exchange of a former delay was returned since its queue was unbound; now its publisher is told that it is
 * missing.
 */
async function deleteUnusedExchanges({ admin, api, plan }: DrainOptions): Promise<string[]> {
  const live = await readLive(api);
  const { exchanges, queues } = formerDelays(plan, live);
  const unused = [...exchanges, ...formerSpreadExchanges(plan, live)]
    .map(({ name }) => name)
    .filter((name) => ![...queues, ...live.queues].some((queue) => queue.name === name))
    .filter((name) => !live.bindings.some(({ source }) => source === name));
  for (const name of unused) await admin.deleteExchange(name);
  return unused;
}

/** Statistics are late, but the ready messages are known exactly. */
function remainingQueue(reading: FormerQueueReading): RemainingQueue {
  const { name, messageCount, readyCount, awaitingTransferCount } = reading;
  if (messageCount === undefined) return { name, messageCount };
  return { name, messageCount: Math.max(messageCount, readyCount + awaitingTransferCount) };
}
