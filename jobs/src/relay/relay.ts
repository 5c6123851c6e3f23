/** The relay publishes pending records. The record is the outbox, so an error of the relay can delay a job but not lose it. */
import { type Declaration, type PublishTarget, publishTarget, returnCapacity } from '@fit/topology';
import type { OutgoingMessage, Publisher, PublishResult } from '@fit/topology/amqp';
import type { JobListener } from '../jobEvent.ts';
import {
  CREATED_AT_HEADER,
  encodeJob,
  PUBLISHED_AT_HEADER,
  RUN_ID_HEADER,
} from '../record/jobMessage.ts';
import { isReplayed, type JobRecord } from '../record/jobRecord.ts';
import type { JobStore } from '../store/jobStore.ts';
import type { JobTracer } from '../trace/jobTracer.ts';
import { parseTraceparent } from '../trace/traceparent.ts';

export interface RelayOptions {
  readonly declaration: Declaration;
  readonly publisher: Publisher;
  readonly store: JobStore;
  /** @returns the number of ready messages in a queue, from the broker; called for kinds with a `load`. @throws where the broker does not answer. */
  readonly readyCount: (queue: string) => Promise<number>;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
}

/** Records in one round at most. After a full round the next one follows at once, because more records may be pending. */
export const RELAY_BATCH_COUNT = 1_000;
/** Time until a deferred job is published again. A full queue drains in seconds, and one try a second costs little. */
const DEFER_MS = 1_000;

/**
 * Does one round: reads pending records, publishes them, and marks them as queued. If the process dies between publish and
 * mark, the message is published a second time, and the guards of the record make the copy harmless. The other order would
 * lose the job.
 * @returns the number of records that the round read; `RELAY_BATCH_COUNT` means that more may be pending.
 * @throws StoreUnavailable, StatementRefused; the records stay pending, and the next round reads them again.
 */
export async function relayOnce(options: RelayOptions): Promise<number> {
  // While the connection is blocked or closed, a publish would only time out; the records are safe in the database.
  if (!options.publisher.isReady) return 0;
  const capacities = await capacitiesOf(options);
  const count = Math.min(RELAY_BATCH_COUNT, Math.max(...capacities.values()));
  if (count <= 0) return 0;
  const jobs = await options.store.pending(count, new Date());
  if (jobs.length === 0) return 0;
  const results = await Promise.all(
    jobs.map(async (job) =>
      takeCapacity(capacities, job) ? await publish(job, options) : 'reserved',
    ),
  );
  const byResult = Map.groupBy(jobs, (_, index) => results[index] ?? 'unknown');
  for (const [result, group] of byResult) {
    if (result !== 'reserved') report(options, result, group);
    if (result === 'confirmed') await options.store.markQueued(group, new Date());
    else await options.store.defer(group, result, new Date(Date.now() + DEFER_MS));
  }
  return jobs.length;
}

/**
 * @returns how many messages the relay may add to the main queue of each kind. A kind with a `load` reserves a part of the
 * queue for returning retries, because a retry that finds its main queue full waits for minutes (`returnCapacity`).
 */
async function capacitiesOf({
  declaration,
  readyCount,
}: RelayOptions): Promise<Map<string, number>> {
  const capacities = declaration.kinds.map(async (kind): Promise<[string, number]> => {
    if (!kind.load) return [kind.kind, Infinity];
    // A queue of unknown length counts as full. The error must not end the round, because the other kinds can be published.
    const count = await readyCount(kind.queue).catch(() => Infinity);
    return [kind.kind, returnCapacity(kind).producerLimit - count];
  });
  return new Map(await Promise.all(capacities));
}

/** Reserves one place in the queue of the job's kind. @returns false where none is left; true for a kind without a declared queue. */
function takeCapacity(capacities: Map<string, number>, { kind }: JobRecord): boolean {
  const capacity = capacities.get(kind) ?? Infinity;
  capacities.set(kind, capacity - 1);
  return capacity > 0;
}

async function publish(job: JobRecord, options: RelayOptions): Promise<PublishResult> {
  const kind = options.declaration.kinds.find((candidate) => candidate.kind === job.kind);
  // This release does not know the kind; the record stays pending for a release that does.
  if (kind === undefined) return 'returned';
  const target = publishTarget(options.declaration, kind, job.attemptCount);
  const trace = options.tracer?.publish(job, target);
  const result = await options.publisher.publish(messageOf(job, target, trace?.traceparent));
  trace?.end(result);
  return result;
}

function messageOf(
  job: JobRecord,
  target: PublishTarget,
  traceparent = storedTraceparent(job),
): OutgoingMessage {
  return {
    ...target,
    id: job._id,
    body: encodeJob(job),
    headers: {
      generation: job.generation,
      [RUN_ID_HEADER]: job.runIds[0] ?? '',
      [CREATED_AT_HEADER]: job.createdAt.toISOString(),
      [PUBLISHED_AT_HEADER]: Date.now(),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
  };
}

/** @returns the trace that the record carries. The message gets it even where this process has no tracing of its own. */
function storedTraceparent({ traceparent }: JobRecord): string | undefined {
  return parseTraceparent(traceparent) === undefined ? undefined : traceparent;
}

function report(options: RelayOptions, result: PublishResult, jobs: readonly JobRecord[]): void {
  for (const [name, group] of Map.groupBy(jobs, ({ kind }) => kind)) {
    const kind = options.declaration.kinds.find((candidate) => candidate.kind === name);
    const queue = kind?.queue ?? 'unknown';
    options.onEvent({ type: 'published', queue, result, count: group.length, jobs: group });
    const replayed = group.filter((job) => isReplayed(job) && !job.attemptCount);
    if (result === 'confirmed' && replayed.length > 0)
      options.onEvent({ type: 'replayed', kind: name, count: replayed.length });
  }
}
