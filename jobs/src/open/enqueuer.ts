/**
 * Stores jobs that are enqueued one by one. Those that arrive together are stored by one statement, and while a statement is
 * under way the next ones collect, so there is no delay when idle and few statements under load. A relay of this process
 * then publishes them from memory at once.
 */
import { randomUUID } from 'node:crypto';
import { BATCH_LIMIT, type BatchRecord } from '../record/batch.ts';
import { type JobRecord, jobId, type NewJob, newJob } from '../record/jobRecord.ts';
import { NO_RUN } from '../record/run.ts';
import type { Relay } from '../relay/relay.ts';
import type { JobStores } from '../store/jobStores.ts';
import { operationLeaseEndAfter } from '../store/relayLease.ts';
import { StatementRefused } from '../store/statement.ts';
import { JobRefused } from './jobRefused.ts';

export interface EnqueuerOptions {
  readonly stores: Pick<JobStores, 'jobs' | 'batches' | 'clock'>;
  /** @returns undefined where this process has no relay; another process then publishes the jobs within a second or two. */
  readonly relay: () => Relay | undefined;
}

/** Jobs of one kind with the same delay and priority, which may share a batch. */
interface Lane {
  readonly delayMs: number;
  waiting: Requested[];
  isWriting: boolean;
}

/** A job that was asked for. */
export interface EnqueuedJob {
  readonly record: JobRecord;
  /** False: the job existed before. */
  readonly isNew: boolean;
}

interface Requested {
  readonly job: NewJob;
  readonly resolve: (enqueued: EnqueuedJob) => void;
  readonly reject: (error: unknown) => void;
}

/** A longer delay has no timer: the relay looks for due batches about once a second anyway. */
const LONGEST_TIMER_MS = 3_600_000;

/** A lease that ends later than this is certainly held: the known time of the database may be wrong by far less. */
const SURELY_HELD_MS = 30_000;

export class Enqueuer {
  readonly #options: EnqueuerOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #writing = new Set<Promise<void>>();

  constructor(options: EnqueuerOptions) {
    this.#options = options;
  }

  /**
   * Resolves once the job is stored, with its record, or with that of the job that had its key before. A process that ends
   * before that has stored the whole job or nothing.
   * @param delayMs the job is not published before this time has passed.
   * @throws StoreUnavailable: the job may be stored nevertheless, so enqueue it again with the same key; JobRefused.
   */
  async add(job: NewJob, delayMs = 0): Promise<EnqueuedJob> {
    const name = `${job.kind}:${delayMs}:${job.isUrgent ?? false}`;
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { delayMs, waiting: [], isWriting: false };
      this.#lanes.set(name, lane);
    }
    const { promise, resolve, reject } = Promise.withResolvers<EnqueuedJob>();
    lane.waiting.push({ job, resolve, reject });
    if (!lane.isWriting) {
      lane.isWriting = true;
      const writing = this.#writeAll(name, lane).finally(() => this.#writing.delete(writing));
      this.#writing.add(writing);
    }
    return await promise;
  }

  /** Waits until every job that was added is stored or refused. */
  async flush(): Promise<void> {
    await Promise.all(this.#writing);
  }

  async #writeAll(name: string, lane: Lane): Promise<void> {
    // Callers of the same turn of the event loop share a statement.
    await new Promise((resolve) => setImmediate(resolve));
    while (lane.waiting.length > 0) {
      const group = lane.waiting.splice(0, BATCH_LIMIT);
      await this.#write(group, lane.delayMs);
    }
    lane.isWriting = false;
    this.#lanes.delete(name);
  }

  /** Where the database refuses the jobs, halves them until the refused one is alone. */
  async #write(group: readonly Requested[], delayMs: number): Promise<void> {
    try {
      const enqueued = await this.#store(group, delayMs);
      for (const { job, resolve } of group) {
        const answer = enqueued.get(jobId(job.kind, job.key));
        if (answer !== undefined) resolve(answer);
      }
    } catch (error) {
      if (error instanceof StatementRefused && group.length > 1) {
        const middle = Math.ceil(group.length / 2);
        await this.#write(group.slice(0, middle), delayMs);
        await this.#write(group.slice(middle), delayMs);
        return;
      }
      for (const { job, reject } of group)
        reject(
          error instanceof StatementRefused
            ? new JobRefused('REFUSED_BY_DATABASE', error.message, {
                kind: job.kind,
                key: job.key,
                cause: error,
              })
            : error,
        );
    }
  }

  /** Stores the batch first, so that no job exists without a batch that lists it; a batch without jobs ends by itself. */
  async #store(group: readonly Requested[], delayMs: number): Promise<Map<string, EnqueuedJob>> {
    const { stores } = this.#options;
    const now = stores.clock.now();
    const operation = `enqueue-${randomUUID()}`;
    const batchId = `${operation}:0`;
    const origin = { runId: NO_RUN, batch: batchId, now };
    const records = new Map<string, JobRecord>();
    for (const { job } of group) {
      const record = newJob(job, origin);
      if (!records.has(record._id)) records.set(record._id, record);
    }
    const dueAt = new Date(now.getTime() + delayMs);
    const listed = {
      _id: batchId,
      runId: operation,
      kind: group[0]?.job.kind ?? '',
      ...(group[0]?.job.isUrgent === true ? { isUrgent: true as const } : {}),
      ids: [...records.keys()].sort(),
    };
    const batch = await this.#makeBatch(listed, { now, dueAt });
    let existingIds: ReadonlySet<string>;
    try {
      existingIds = await stores.jobs.insert([...records.values()]);
    } catch (error) {
      // The database may have stored the others, which then have this batch, and nobody waits for its lease.
      if (error instanceof StatementRefused) await this.#release(batch, dueAt).catch(() => false);
      throw error;
    }
    if (existingIds.size > 0) await this.#readExisting(batch, records, existingIds);
    const created = [...records.values()].filter((record) => record.batch === batchId);
    if (created.length > 0) await this.#handOver(batch, created, dueAt);
    if (delayMs > 0 && delayMs < LONGEST_TIMER_MS)
      setTimeout(() => this.#options.relay()?.wake(), delayMs).unref();
    const isNew = (record: JobRecord) => record.batch === batchId;
    return new Map([...records].map(([id, record]) => [id, { record, isNew: isNew(record) }]));
  }

  /** Stores a batch that no relay may take until its jobs are stored, because it would find none and end it. */
  async #makeBatch(
    listed: Pick<BatchRecord, '_id' | 'runId' | 'kind' | 'isUrgent' | 'ids'>,
    { now, dueAt }: { readonly now: Date; readonly dueAt: Date },
  ): Promise<BatchRecord> {
    const { stores, relay } = this.#options;
    const owner = dueAt > now ? undefined : relay()?.owner;
    const heldUntil = operationLeaseEndAfter(now);
    const leaseUntil = dueAt > heldUntil ? dueAt : heldUntil;
    const newBatch = {
      ...listed,
      createsJobs: true as const,
      createdAt: now,
      owner: owner ?? listed.runId,
    };
    // An insert whose answer was lost finds its own batch, which nobody else can know.
    const inserted = await stores.batches.insert(newBatch, leaseUntil);
    return inserted ?? { ...newBatch, state: 'open', leaseUntil, fence: 1 };
  }

  /**
   * Gives the batch to the relay of this process, or to that which finds it first. A relay that took the batch before its jobs
   * were stored has found none and ended it, so they get another batch.
   */
  async #handOver(batch: BatchRecord, created: readonly JobRecord[], dueAt: Date): Promise<void> {
    const { stores } = this.#options;
    const { runId, kind, isUrgent } = batch;
    const urgency = isUrgent === true ? { isUrgent } : {};
    let [held, jobs] = [batch, created];
    for (let number = 1; !(await this.#passOn(held, jobs, dueAt)); number += 1) {
      const _id = `${runId}:${number}`;
      const ids = jobs.map((job) => job._id).sort();
      held = await this.#makeBatch(
        { _id, runId, kind, ...urgency, ids },
        { now: stores.clock.now(), dueAt },
      );
      await stores.jobs.assignBatch(ids, _id);
      jobs = jobs.map((job) => ({ ...job, batch: _id }));
    }
  }

  /** @returns false where another relay has taken the batch. @throws StoreUnavailable: perhaps one has. */
  async #passOn(batch: BatchRecord, jobs: readonly JobRecord[], dueAt: Date): Promise<boolean> {
    const { stores, relay } = this.#options;
    const own = relay();
    const isOwn = own?.owner === batch.owner;
    if (!isOwn && dueAt < batch.leaseUntil) {
      try {
        return await this.#release(batch, dueAt);
      } catch (error) {
        // The batch is then taken when its lease ends.
        if (this.#isSurelyHeld(batch)) return true;
        throw error;
      }
    }
    if (!this.#isSurelyHeld(batch) && !(await stores.batches.renew(batch))) return false;
    if (isOwn) own.publish(batch, jobs);
    return true;
  }

  async #release(batch: BatchRecord, dueAt: Date): Promise<boolean> {
    const { batches, clock } = this.#options.stores;
    return await batches.release(batch, Math.max(0, dueAt.getTime() - clock.now().getTime()));
  }

  /** Spares the statement that asks the database: while the lease has long to go nobody can have taken the batch. */
  #isSurelyHeld({ leaseUntil }: BatchRecord): boolean {
    return leaseUntil.getTime() - this.#options.stores.clock.now().getTime() > SURELY_HELD_MS;
  }

  /** Replaces records whose jobs existed by those that are stored, and leaves their ids out of the batch. */
  async #readExisting(
    batch: BatchRecord,
    records: Map<string, JobRecord>,
    existingIds: ReadonlySet<string>,
  ): Promise<void> {
    const { stores } = this.#options;
    for (let ids = existingIds; ids.size > 0; ) {
      const found = await stores.jobs.findAll([...ids]);
      for (const [id, existing] of found) records.set(id, existing);
      // The retention deletes jobs between the two statements; they can be stored now.
      const deleted = [...records.values()].filter(({ _id }) => ids.has(_id) && !found.has(_id));
      ids = await stores.jobs.insert(deleted);
    }
    // A statement that was repeated has found jobs that it had stored itself.
    const created = [...records.values()].filter((record) => record.batch === batch._id);
    if (created.length === 0) await stores.batches.delete([batch._id]);
    else if (created.length < batch.ids.length)
      await stores.batches.narrow(batch, created.map(({ _id }) => _id).sort());
  }
}
