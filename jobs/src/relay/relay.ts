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
  /** Messages ready in a queue, from the broker itself; asked for kinds that declare a load. @throws where it does not tell. */
  readonly readyCount: (queue: string) => Promise<number>;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
}

/** Records in one round at most. A round that read as many is followed at once, since more records may be pending. */
export const RELAY_BATCH_COUNT = 1_000;
/** A full queue drains in seconds, so a refused job is offered again soon; it costs one publish a second. */
const DEFER_MS = 1_000;

/**
 * One round: read, publish, mark. Publishing before marking may double a message when the process dies in between,
 * and the worker's guards make a no-op of the copy; marking first would lose the job instead.
 * @returns how many were read: a full batch means that more are waiting.
 * @throws StoreUnavailable, StatementRefused; the next round starts again.
 */
export async function relayOnce(options: RelayOptions): Promise<number> {
  // Blocked or disconnected: a publish would only time out, and everything is safe where it is.
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
 * How many messages each kind's queue may take from here. What is declared to bounce keeps its share of the limit: a
 * bounce that meets a full queue would be held for minutes (`returnCapacity`).
 */
async function capacitiesOf({
  declaration,
  readyCount,
}: RelayOptions): Promise<Map<string, number>> {
  const capacities = declaration.kinds.map(async (kind): Promise<[string, number]> => {
    if (!kind.load) return [kind.kind, Infinity];
    // Unknown counts as full, and is no outage of the store: this connection may come back later than the publisher's.
    const count = await readyCount(kind.queue).catch(() => Infinity);
    return [kind.kind, returnCapacity(kind).producerLimit - count];
  });
  return new Map(await Promise.all(capacities));
}

/** Takes the capacity for one message, if there is any. A kind that is not declared has no queue that could be full. */
function takeCapacity(capacities: Map<string, number>, { kind }: JobRecord): boolean {
  const capacity = capacities.get(kind) ?? Infinity;
  capacities.set(kind, capacity - 1);
  return capacity > 0;
}

async function publish(job: JobRecord, options: RelayOptions): Promise<PublishResult> {
  const kind = options.declaration.kinds.find((candidate) => candidate.kind === job.kind);
  // A record of a kind that this release does not know: an older or newer release may.
  if (kind === undefined) return 'returned';
  const entry = publishTarget(options.declaration, kind, job.attemptCount);
  const trace = options.tracer?.publish(job, entry);
  const result = await options.publisher.publish(messageOf(job, entry, trace?.traceparent));
  trace?.end(result);
  return result;
}

function messageOf(
  job: JobRecord,
  entry: PublishTarget,
  traceparent = storedContext(job),
): OutgoingMessage {
  return {
    ...entry,
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

/** Without tracing in this process, the message still carries the trace that another process began. */
function storedContext({ traceparent }: JobRecord): string | undefined {
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
