/** Old wait queues: waits until their messages have come back by themselves, then deletes them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TopologyPlan } from '@fit/topology';
import { fault, returnExchange, TopologyError } from '@fit/topology';
import type { TopologyAdmin } from '@fit/topology/amqp';
import type { ManagementApi } from '@fit/topology/management';
import {
  bindingText,
  formerWaitQueues,
  type LiveBinding,
  type LiveQueue,
  type LiveTopology,
  readLive,
  readQueues,
} from '@fit/topology/management';
import { extraBindings } from './diffBindings.ts';
import {
  COUNT_INTERVAL_MS,
  type EmptinessProof,
  type EmptyReading,
  proveEmpty,
} from './emptiness.ts';

/** Progress is told at least this often. */
const POLL_INTERVAL_MS = 1_000;

/** What `drainTopology` works with; hand and API must be of the same virtual host. */
export interface DrainOptions {
  readonly hand: TopologyAdmin;
  readonly api: ManagementApi;
  readonly plan: TopologyPlan;
  /** How long to wait at most; what is empty by then is deleted all the same. */
  readonly timeoutMs: number;
  /** How often the broker counts messages; longer than the default only where the broker is set so. */
  readonly countIntervalMs?: number;
  /** Stops between two looks; nothing is left half done. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: DrainProgress) => void;
}

/** How far it is, once a second. */
export interface DrainProgress {
  readonly queues: readonly RemainingQueue[];
  /** Until the last message should have left its queue; later than that, its way back is blocked. */
  readonly longestWaitMs: number;
}

/** An old queue that is still there. */
export interface RemainingQueue {
  readonly name: string;
  /** Undefined where the broker has not counted yet. */
  readonly messageCount: number | undefined;
}

/** What was deleted, and what is left. */
export interface DrainReport {
  readonly deletedQueues: readonly string[];
  readonly unboundReturns: readonly string[];
  readonly remaining: readonly RemainingQueue[];
  readonly end: 'drained' | 'timeout' | 'stopped';
}

/**
 * Waits, deletes each old wait queue once it is proven empty, and drops the return bindings that nobody needs any more.
 * @throws TopologyError `TOPOLOGY_DIFFERS` where an old queue is still bound: new messages would come in; apply first.
 * Error where the broker goes away; then run it again.
 */
export async function drainTopology(options: DrainOptions): Promise<DrainReport> {
  const live = await readLive(options.api);
  const old = formerWaitQueues(options.plan, live).map(({ queue }) => queue);
  refuseBound(old, live.bindings);
  const deletedQueues: string[] = [];
  const { remaining, end } = await waitAndDelete(options, old, deletedQueues);
  return { deletedQueues, unboundReturns: await unbindReturns(options), remaining, end };
}

function refuseBound(old: readonly LiveQueue[], bindings: readonly LiveBinding[]): void {
  const faults = old.flatMap(({ name }) =>
    intoQueue(bindings, name).map((one) =>
      fault(
        'QUEUE_BOUND',
        name,
        `still gets messages by ${bindingText(one)}: topology apply first`,
      ),
    ),
  );
  if (faults.length > 0) throw new TopologyError('TOPOLOGY_DIFFERS', faults);
}

async function waitAndDelete(
  options: DrainOptions,
  old: readonly LiveQueue[],
  deletedQueues: string[],
): Promise<Pick<DrainReport, 'remaining' | 'end'>> {
  const { countIntervalMs = COUNT_INTERVAL_MS } = options;
  const startedAt = performance.now();
  const proofs = new Map<string, EmptinessProof>();
  for (;;) {
    const live = await readQueues(options.api);
    const readings = await readAll(options.hand, old, live);
    for (const reading of readings) {
      const clock = { nowMs: performance.now(), countIntervalMs };
      const proof = proveEmpty(proofs.get(reading.name), reading, clock);
      proofs.set(reading.name, proof);
      if (proof.isProven && (await deleteEmpty(options, reading.name)))
        deletedQueues.push(reading.name);
    }
    const remaining = readings.filter(({ name }) => !deletedQueues.includes(name));
    const end = endOf(options, remaining, startedAt);
    if (end !== undefined) return { remaining: remaining.map(remainder), end };
    const filled = remaining.filter((one) => (one.messageCount ?? 1) > 0 || one.readyCount > 0);
    options.onProgress({
      queues: remaining.map(remainder),
      // Nothing has come in since the start, so the youngest message is at least that old.
      longestWaitMs: Math.max(
        0,
        ...filled.map(({ ttlMs }) => ttlMs - (performance.now() - startedAt)),
      ),
    });
    await delay(POLL_INTERVAL_MS, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

interface OldReading extends EmptyReading {
  readonly name: string;
  readonly ttlMs: number;
}

/** A queue that somebody else has deleted meanwhile is none any more. */
async function readAll(
  hand: TopologyAdmin,
  old: readonly LiveQueue[],
  live: readonly LiveQueue[],
): Promise<OldReading[]> {
  const readings: OldReading[] = [];
  for (const { name, arguments: settings } of old) {
    const depth = await hand.depthOf(name);
    const found = live.find((queue) => queue.name === name);
    if (depth === undefined || found === undefined) continue;
    const { messageCount, awaitingTransferCount = 0 } = found;
    const ttlMs = Number(settings['x-message-ttl'] ?? 0);
    readings.push({
      name,
      ttlMs,
      ...depth,
      messageCount,
      heldCount: awaitingTransferCount,
    });
  }
  return readings;
}

/** The last look: whoever bound or filled the queue since the first one keeps it. */
async function deleteEmpty({ hand, api }: DrainOptions, name: string): Promise<boolean> {
  const live: LiveTopology = await readLive(api);
  refuseBound(
    live.queues.filter((queue) => queue.name === name),
    live.bindings,
  );
  if ((await hand.depthOf(name))?.readyCount !== 0) return false;
  await hand.deleteQueue(name);
  return true;
}

function endOf(
  { signal, timeoutMs }: DrainOptions,
  remaining: readonly OldReading[],
  startedAt: number,
): DrainReport['end'] | undefined {
  if (remaining.length === 0) return 'drained';
  if (signal.aborted) return 'stopped';
  return performance.now() - startedAt >= timeoutMs ? 'timeout' : undefined;
}

/** Also those that an earlier run did not come to. */
async function unbindReturns({ hand, api, plan }: DrainOptions): Promise<string[]> {
  const returns = new Set(plan.kinds.map(({ queue }) => returnExchange(queue)));
  const needless = extraBindings(plan, await readLive(api))
    .map(({ binding }) => binding)
    .filter(({ source }) => returns.has(source));
  for (const binding of needless) await hand.unbind(binding);
  return needless.map(bindingText);
}

function intoQueue(bindings: readonly LiveBinding[], queue: string): LiveBinding[] {
  return bindings.filter(
    ({ destination, destinationType }) => destinationType === 'queue' && destination === queue,
  );
}

function remainder({ name, messageCount, readyCount, heldCount }: OldReading): RemainingQueue {
  // Statistics lag behind; what is ready is known.
  return {
    name,
    messageCount:
      messageCount === undefined ? undefined : Math.max(messageCount, readyCount + heldCount),
  };
}
