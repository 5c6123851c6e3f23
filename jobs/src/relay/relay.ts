/** Hands pending records to the broker. The record is the outbox, so nothing here can lose a job. */
import { type Declaration, entryOf, type KindDeclaration } from '@fit/topology';
import type { OutgoingMessage, Publisher, PublishResult } from '@fit/topology/amqp';
import type { JobListener } from '../event.ts';
import { encodeJob } from '../record/jobMessage.ts';
import type { JobRecord } from '../record/jobRecord.ts';
import type { JobStore } from '../store/jobStore.ts';

export interface RelayOptions {
  readonly declaration: Declaration;
  readonly publisher: Publisher;
  readonly store: JobStore;
  readonly onEvent: JobListener;
  /** Records in one round; default 1,000. */
  readonly batchCount?: number;
}

/** A full queue drains in seconds, so a refused job is offered again soon; it costs one publish a second. */
const HOLD_MS = 1_000;

/**
 * One round: read, publish, mark. Publishing before marking may double a message when the process dies in between,
 * and the worker's guards make a no-op of the copy; marking first would lose the job instead.
 * @returns how many were read: a full batch means that more are waiting.
 * @throws the driver's error where the store is out; the next round starts again.
 */
export async function relayOnce(options: RelayOptions): Promise<number> {
  // Blocked or disconnected: a publish would only time out, and everything is safe where it is.
  if (!options.publisher.isReady) return 0;
  const jobs = await options.store.pending(options.batchCount ?? 1_000, new Date());
  if (jobs.length === 0) return 0;
  const results = await Promise.all(jobs.map((job) => publish(job, options)));
  const byResult = Map.groupBy(jobs, (_, index) => results[index] ?? 'unknown');
  for (const [result, group] of byResult) {
    report(options, result, group);
    if (result === 'confirmed') await options.store.markQueued(group, new Date());
    else await options.store.hold(group, result, new Date(Date.now() + HOLD_MS));
  }
  return jobs.length;
}

async function publish(job: JobRecord, options: RelayOptions): Promise<PublishResult> {
  const kind = options.declaration.kinds.find((candidate) => candidate.kind === job.kind);
  // A record of a kind that this release does not know: an older or newer release may.
  if (kind === undefined) return 'returned';
  return await options.publisher.publish(messageOf(job, kind, options.declaration));
}

function messageOf(
  job: JobRecord,
  kind: KindDeclaration,
  declaration: Declaration,
): OutgoingMessage {
  return {
    ...entryOf(declaration, kind, job.attemptCount),
    id: job._id,
    body: encodeJob(job),
    headers: { generation: job.generation, 'created-at': job.createdAt.toISOString() },
  };
}

function report(options: RelayOptions, result: PublishResult, jobs: readonly JobRecord[]): void {
  for (const [name, group] of Map.groupBy(jobs, ({ kind }) => kind)) {
    const kind = options.declaration.kinds.find((candidate) => candidate.kind === name);
    const queue = kind?.queue ?? 'unknown';
    options.onEvent({ type: 'published', queue, result, count: group.length });
  }
}
