/**
 * The relay turns runs into jobs on the broker: it reads the items of a run page by page, records a batch of jobs for each
 * page, and publishes the batch from memory. Batches that another relay left behind, and those of replays and repairs, it
 * publishes from their records. Runs and batches are leased in their own records, so several processes may have a relay, and all of
 * them share the work.
 *
 * The order of each page is: batch and jobs stored, messages confirmed, batch marked, run counted. A process that dies in
 * between leaves an open batch, which the next relay publishes. Copies that this makes are harmless, because the effect of
 * a job has a natural key.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Declaration, KindDeclaration } from '@fit/topology';
import type { JobListener } from '../jobEvent.ts';
import {
  BATCH_LIMIT,
  type BatchRecord,
  isOnOtherPage,
  pageBatchId,
  restBatchId,
} from '../record/batch.ts';
import { describeError } from '../record/describeError.ts';
import { type JobRecord, jobId, type NewJob, newJob } from '../record/jobRecord.ts';
import type { RunRecord } from '../record/run.ts';
import type { JobStores } from '../store/jobStores.ts';
import { leaseEndAfter, operationLeaseEndAfter, RELAY_RENEW_MS } from '../store/relayLease.ts';
import type { StoredPages } from '../store/runStore.ts';
import { StatementRefused, StoreUnavailable } from '../store/statement.ts';
import type { JobTracer } from '../trace/jobTracer.ts';
import { JobPublisher, type PublishedJobs, type RelayPublisher } from './jobPublisher.ts';
import type { RunSource, SourcePage } from './runSource.ts';

export interface RelayOptions {
  readonly declaration: Declaration;
  readonly publisher: Pick<RelayPublisher, 'isReady' | 'send'>;
  /** Stores for background tasks: their statements end before a lease does. */
  readonly stores: JobStores;
  /** Makes the jobs of runs; without it the relay expands no run. */
  readonly source?: RunSource;
  /** @returns the number of ready messages in a queue, from the broker. @throws where the broker does not answer. */
  readonly readyCount: (queue: string) => Promise<number>;
  /** Seconds of work that a main queue should hold, asked again and again; default 5. */
  readonly targetSeconds?: (() => number) | undefined;
  readonly onEvent: JobListener;
  readonly tracer?: JobTracer | undefined;
  /** Names this relay in leases; default: a random id. */
  readonly owner?: string;
  /** Called after each search for work, about once a second, also while the relay waits for room in a queue. */
  readonly onIteration?: () => void;
}

/**
 * Pages of one kind that are in work at a time. While one is published the next one is recorded, and one more is read. A
 * limit for each kind, so that a kind whose queue is full does not stop the others.
 */
const PAGES_IN_WORK = 3;
/** Claimed batches of one kind that wait at most: they may have one job each, and every one is renewed. */
const CLAIMED_LIMIT = 50;
/** Jobs of the batches that are claimed at a time, so that other relays get some of many large batches. */
const CLAIMED_JOBS = PAGES_IN_WORK * BATCH_LIMIT;
/** Pause between two searches for batches and runs without an owner, in milliseconds. */
const SEARCH_MS = 1_000;
/** Time until messages that the broker did not take are published again. A full queue drains in seconds, and one try a second costs little. */
const DEFER_MS = 1_000;
/** A stop waits this long for confirms, in milliseconds. */
const DRAIN_MS = 3_000;
/** Counts urgent batches in work apart from those of their kind. No kind has this name. */
const URGENT = ':urgent';
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/** Something that this relay holds under a lease. */
interface Held {
  readonly renew: () => Promise<boolean>;
  /** True once another process holds it. */
  isLost: boolean;
}

/** A run that this relay expands. */
interface OwnRun extends Held {
  readonly run: RunRecord;
  readonly kind: string;
  /** True: this process stored the run, so no page of it can exist. */
  readonly isFresh: boolean;
  /** The item behind which the next page begins, and the number of that page. */
  cursor: string;
  page: number;
  /** The page that is being read, so that no other page is begun; for a run that is not fresh, until it is stored. */
  busyPage: number | undefined;
  /** True once the last page was read. */
  isRead: boolean;
  pagesInWork: number;
  /** How far the batches are stored without a gap, and the last items of the pages that are stored beyond a gap. */
  stored: { nextPage: number; cursor: string };
  readonly storedBeyond: Map<number, string>;
}

interface OwnBatch extends Held {
  readonly batch: BatchRecord;
  /** Its jobs, where this process has just stored them; else they are read. */
  readonly jobs?: readonly JobRecord[];
}

const NO_SOURCE: RunSource = {
  kindOf: () => '',
  page: () => Promise.reject(new Error('this relay has no source of runs')),
  count: () => Promise.reject(new Error('this relay has no source of runs')),
};

export class Relay {
  readonly #options: RelayOptions;
  readonly #owner: string;
  readonly #source: RunSource;
  readonly #publisher: JobPublisher;
  readonly #kinds: ReadonlyMap<string, KindDeclaration>;
  readonly #runs = new Map<string, OwnRun>();
  /** Claimed batches that are not begun yet. */
  #claimed: OwnBatch[] = [];
  readonly #held = new Set<Held>();
  readonly #inWork = new Map<string, number>();
  readonly #working = new Set<Promise<void>>();
  readonly #searching: Promise<void>;
  readonly #renewTimer: NodeJS.Timeout;
  readonly #stopped = new AbortController();
  #endPause: (() => void) | undefined;
  #isWoken = false;
  /** True: more batches than were claimed were without an owner, so the next search follows once these are begun. */
  #hasMoreBatches = false;
  #isStoreDown = false;
  #isRenewing = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#owner = options.owner ?? randomUUID();
    this.#source = options.source ?? NO_SOURCE;
    this.#publisher = new JobPublisher({
      ...options,
      signer: options.stores.signer,
      clock: options.stores.clock,
    });
    this.#kinds = new Map(options.declaration.kinds.map((kind) => [kind.kind, kind]));
    this.#renewTimer = setInterval(() => void this.#renewAll(), RELAY_RENEW_MS);
    this.#searching = this.#search();
  }

  /** Names this relay in leases. A run that is stored with it as its owner is handed over by `begin`. */
  get owner(): string {
    return this.#owner;
  }

  /** Begins a run that this process has just stored with this relay as its owner. */
  begin(run: RunRecord): void {
    this.#addRun(run, true);
    this.#startWork();
  }

  /**
   * Publishes a batch that this process has just stored with this relay as its owner. Urgent jobs wait neither for other
   * batches nor for the room that the relay leaves in the queue.
   * @param jobs the jobs of the batch.
   */
  publish(batch: BatchRecord, jobs: readonly JobRecord[]): void {
    const { batches } = this.#options.stores;
    const renew = () => batches.renew(batch);
    const held = this.#hold({ batch, jobs, isLost: false, renew });
    if (batch.isUrgent === true && !this.#isStopped) {
      this.#track(URGENT, () => this.#publishClaimed(held));
      return;
    }
    const waitingCount = this.#claimed.filter((other) => other.batch.kind === batch.kind).length;
    if (waitingCount < CLAIMED_LIMIT) {
      this.#claimed.push(held);
      this.#startWork();
      return;
    }
    // The queue is full for a while, so the batch waits in the database, where it costs no renewals.
    this.#held.delete(held);
    this.#hasMoreBatches = true;
    batches.release(batch, 0).catch((thrown: unknown) => {
      this.#reportError(thrown);
    });
  }

  /** Searches for work at once, because another task of this process has made a batch. */
  wake(): void {
    this.#isWoken = true;
    this.#endPause?.();
  }

  /**
   * Ends the relay after the pages in work are confirmed, and gives up everything that it holds.
   * @param drainMs milliseconds to wait for confirms; a broker that blocks publishers may never send them. What is not confirmed
   * then is published again by the next holder of its batch.
   */
  async stop(drainMs = DRAIN_MS): Promise<void> {
    this.#stopped.abort();
    this.#publisher.stop();
    this.#endPause?.();
    await this.#searching;
    const isDrained = Promise.all(this.#working);
    await Promise.race([isDrained, pause(drainMs, undefined, { ref: false })]);
    clearInterval(this.#renewTimer);
    const { runs, batches } = this.#options.stores;
    // What is not released is taken by another relay when its lease ends.
    for (const { run } of this.#runs.values()) await runs.release(run).catch(() => undefined);
    for (const { batch } of this.#claimed) await batches.release(batch, 0).catch(() => undefined);
  }

  get #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  async #search(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#claim();
        if (this.#options.publisher.isReady)
          this.#options.onEvent({ type: 'roundEnded', task: 'relay' });
        this.#reportStoreUp();
      } catch (thrown) {
        this.#reportError(thrown);
      }
      this.#options.onIteration?.();
      this.#startWork();
      await this.#pause();
    }
  }

  /** Takes runs and batches that no relay holds. */
  async #claim(): Promise<void> {
    const { runs, batches } = this.#options.stores;
    if (this.#options.source !== undefined)
      for (const run of await runs.claim(this.#owner)) this.#addRun(run, false);
    if (!this.#mayClaim) return;
    // A claimed batch waits for a free page of its kind and goes before the pages of runs, so that a large run does not keep
    // replays and repairs waiting. Urgent ones do not wait, so they are claimed also while others of their kind do.
    const busyKinds = new Set(this.#claimed.map(({ batch }) => batch.kind));
    const kinds = [...this.#kinds.keys()].filter((kind) => !busyKinds.has(kind));
    const urgentKinds = [...this.#kinds.values()].flatMap(({ kind, priorities }) =>
      priorities.length > 0 && busyKinds.has(kind) ? [kind] : [],
    );
    const now = this.#options.stores.clock.now();
    const wanted = { limit: CLAIMED_LIMIT, jobLimit: CLAIMED_JOBS, now };
    for (const { isUrgent, of } of [
      { isUrgent: true, of: urgentKinds },
      { isUrgent: false, of: kinds },
    ]) {
      if (of.length === 0) continue;
      const { claimed, hasMore } = await batches.claim(this.#owner, {
        ...wanted,
        kinds: of,
        isUrgent,
      });
      this.#hasMoreBatches ||= hasMore;
      for (const batch of claimed) this.#addClaimed(batch);
    }
  }

  /** False while so many urgent batches are in work that the broker must be slow for everybody. */
  get #mayClaim(): boolean {
    return (this.#inWork.get(URGENT) ?? 0) < CLAIMED_LIMIT;
  }

  #addClaimed(batch: BatchRecord): void {
    const { batches } = this.#options.stores;
    const held = this.#hold({ batch, isLost: false, renew: () => batches.renew(batch) });
    if (batch.isUrgent === true) this.#track(URGENT, () => this.#publishClaimed(held));
    else this.#claimed.push(held);
  }

  #addRun(run: RunRecord, isFresh: boolean): void {
    const { stores } = this.#options;
    const former = this.#runs.get(run._id);
    if (former !== undefined) {
      former.isLost = true;
      this.#held.delete(former);
    }
    this.#runs.set(
      run._id,
      this.#hold({
        run,
        kind: this.#source.kindOf(run),
        isFresh,
        cursor: run.cursor,
        page: run.nextPage,
        busyPage: undefined,
        isRead: false,
        pagesInWork: 0,
        stored: { nextPage: run.nextPage, cursor: run.cursor },
        storedBeyond: new Map(),
        isLost: false,
        renew: () => stores.runs.renew(run),
      }),
    );
    if (run.total === undefined) void this.#countItems(run);
  }

  /** Counts the items beside the expansion, because a million of them take a second. */
  async #countItems(run: RunRecord): Promise<void> {
    try {
      const total = await this.#source.count(run);
      await this.#options.stores.runs.setTotal(run._id, total);
    } catch (thrown) {
      // The number is for people; it is exact once the run is finished.
      this.#reportError(thrown);
    }
  }

  #hasFreePage(kind: string): boolean {
    return (this.#inWork.get(kind) ?? 0) < PAGES_IN_WORK;
  }

  /** Begins as many pages and batches as may be in work. Runs take turns, so that a large one does not keep small ones waiting. */
  #startWork(): void {
    if (this.#isStopped) return;
    this.#beginWork();
    if (this.#hasMoreBatches && this.#claimed.length === 0 && this.#mayClaim) {
      this.#hasMoreBatches = false;
      this.wake();
    }
  }

  #beginWork(): void {
    for (const kind of this.#kinds.keys())
      while (this.#hasFreePage(kind)) {
        const batchIndex = this.#claimed.findIndex(({ batch }) => batch.kind === kind);
        const [claimed] = batchIndex < 0 ? [] : this.#claimed.splice(batchIndex, 1);
        if (claimed !== undefined) {
          this.#track(kind, () => this.#publishClaimed(claimed));
          continue;
        }
        const own = this.#nextRun(kind);
        if (own === undefined) break;
        const { page } = own;
        own.busyPage = page;
        own.pagesInWork += 1;
        this.#track(kind, async () => {
          try {
            await this.#expandPage(own, page);
          } catch (thrown) {
            // The run is given up, and taken again when its lease ends: a defect is not repeated in a hot loop.
            own.isLost = true;
            throw thrown;
          } finally {
            if (own.busyPage === page) own.busyPage = undefined;
            own.pagesInWork -= 1;
            this.#dropIfDone(own);
          }
        });
      }
  }

  /** @returns the run whose turn it is, and puts it at the end of the order. */
  #nextRun(kind: string): OwnRun | undefined {
    for (const own of this.#runs.values()) {
      this.#dropIfDone(own);
      if (own.kind !== kind || own.busyPage !== undefined || own.isRead || own.isLost) continue;
      this.#runs.delete(own.run._id);
      this.#runs.set(own.run._id, own);
      return own;
    }
    return undefined;
  }

  #dropIfDone(own: OwnRun): void {
    if (own.pagesInWork > 0 || !(own.isRead || own.isLost)) return;
    // After an outage this relay may have claimed the run again; the former entry must not remove the new one.
    if (this.#runs.get(own.run._id) === own) this.#runs.delete(own.run._id);
    this.#held.delete(own);
  }

  #track(kind: string, work: () => Promise<void>): void {
    this.#inWork.set(kind, (this.#inWork.get(kind) ?? 0) + 1);
    const working = work()
      .catch((thrown: unknown) => {
        this.#reportError(thrown);
      })
      .finally(() => {
        this.#inWork.set(kind, (this.#inWork.get(kind) ?? 1) - 1);
        this.#working.delete(working);
        this.#startWork();
      });
    this.#working.add(working);
  }

  async #expandPage(own: OwnRun, page: number): Promise<void> {
    const { stores } = this.#options;
    const { run, cursor: after } = own;
    const found = await this.#persist(own, () => this.#source.page(run, after, BATCH_LIMIT));
    if (found === undefined) return;
    if (found.jobs.length === 0 && !found.isLast) {
      // Every item of the page was deleted since the run was requested.
      own.cursor = found.last;
      return;
    }
    if (found.jobs.length === 0) {
      own.isRead = true;
      await this.#persist(own, () => stores.runs.movePosition(run, positionOf(own)));
      return;
    }
    // The next page of a fresh run is read while this one is stored.
    if (own.isFresh) this.#passOn(own, found);
    const recorded = await this.#persist(own, () => this.#recordPage(own, { page, after, found }));
    if (recorded === undefined) return;
    notePage(own, page, recorded.last);
    if (!own.isFresh) this.#passOn(own, recorded);
    if (recorded.held === undefined)
      await this.#persist(own, () => stores.runs.movePosition(run, positionOf(own)));
    else await this.#publishPage(recorded.held, recorded, own);
  }

  /** The page is read, so the next one can begin. */
  #passOn(own: OwnRun, { last, isLast }: Pick<SourcePage, 'last' | 'isLast'>): void {
    own.cursor = last;
    own.page += 1;
    own.isRead = isLast;
    own.busyPage = undefined;
    this.#startWork();
  }

  /**
   * Stores the batch of a page, and then its jobs, so that no job exists without a batch that lists it. If an earlier owner of
   * the run made the batch, its jobs are as that owner read them, and nothing may be added.
   */
  async #recordPage(
    { run }: OwnRun,
    { page, after, found }: { page: number; after: string; found: SourcePage },
  ): Promise<RecordedJobs> {
    const { stores } = this.#options;
    const batchId = pageBatchId(run._id, after);
    const now = stores.clock.now();
    const origin = { runId: run._id, batch: batchId, now };
    const jobs = found.jobs.map((job) => newJob(job, origin));
    const newBatch = {
      _id: batchId,
      runId: run._id,
      page,
      after,
      last: found.last,
      kind: found.jobs[0]?.kind ?? '',
      ids: jobs.map(({ _id }) => _id).sort(),
      createdAt: now,
      owner: this.#owner,
    };
    const leaseUntil = leaseEndAfter(now);
    const inserted = await stores.batches.insert(newBatch, leaseUntil);
    const batch = inserted ?? (await this.#findOwnBatch(batchId));
    if (batch === undefined) {
      const other = await stores.batches.find(batchId);
      return { ...NOTHING_RECORDED, last: other?.last ?? found.last, isLast: false };
    }
    const insertion = await this.#insertJobs(jobs);
    return {
      ...(await this.#divide(jobs, insertion, { run, batch })),
      held: this.#hold({ batch, isLost: false, renew: () => stores.batches.renew(batch) }),
      last: found.last,
      isLast: found.isLast,
    };
  }

  /** @returns the batch, where an insert whose answer was lost had stored it for this relay. */
  async #findOwnBatch(batchId: string): Promise<BatchRecord | undefined> {
    const found = await this.#options.stores.batches.find(batchId);
    const isOwn = found?.owner === this.#owner && found.state === 'open' && found.fence === 1;
    return isOwn ? found : undefined;
  }

  /** Inserts jobs; where the database refuses a document, halves the jobs until that document is alone. */
  async #insertJobs(jobs: readonly JobRecord[]): Promise<Insertion> {
    try {
      const existingIds = await this.#options.stores.jobs.insert(jobs);
      return { existingIds, refusedIds: new Set() };
    } catch (thrown) {
      if (!(thrown instanceof StatementRefused)) throw thrown;
      const [only] = jobs;
      if (jobs.length === 1 && only !== undefined) {
        this.#options.onEvent({ type: 'stageFailed', stage: 'relay', error: thrown });
        return { existingIds: new Set(), refusedIds: new Set([only._id]) };
      }
      const middle = Math.ceil(jobs.length / 2);
      const first = await this.#insertJobs(jobs.slice(0, middle));
      const second = await this.#insertJobs(jobs.slice(middle));
      return {
        existingIds: first.existingIds.union(second.existingIds),
        refusedIds: first.refusedIds.union(second.refusedIds),
      };
    }
  }

  /** Divides the jobs of a page into those that this run created, now or at an earlier try, and those of earlier runs. */
  async #divide(
    jobs: readonly JobRecord[],
    { existingIds, refusedIds }: Insertion,
    page: { readonly run: RunRecord; readonly batch: BatchRecord },
  ): Promise<PublishablePage> {
    if (existingIds.size === 0 && refusedIds.size === 0)
      return {
        toPublish: jobs,
        createdCount: jobs.length,
        skippedIds: [],
        refusedCount: 0,
        ids: undefined,
      };
    const existing = await this.#findTakingOver([...existingIds], page);
    // The retention deletes jobs between the two statements; they can be stored now.
    const deleted = jobs.filter(({ _id }) => existingIds.has(_id) && !existing.has(_id));
    if (deleted.length > 0) {
      const again = await this.#insertJobs(deleted);
      const merged = {
        existingIds: new Set(existing.keys()).union(again.existingIds),
        refusedIds: refusedIds.union(again.refusedIds),
      };
      return await this.#divide(jobs, merged, page);
    }
    const stored = jobs.flatMap((job) =>
      refusedIds.has(job._id) ? [] : [existing.get(job._id) ?? job],
    );
    return { ...divide(stored, page.batch), refusedCount: refusedIds.size };
  }

  /** Reads jobs of a page; a run that creates what is missing first takes over those that ended without their effect. */
  async #findTakingOver(
    ids: readonly string[],
    { run, batch }: { readonly run: RunRecord; readonly batch: BatchRecord },
  ): Promise<Map<string, JobRecord>> {
    const { jobs } = this.#options.stores;
    if (run.rerunOf !== undefined) await jobs.takeOver(ids, { runId: run._id, batch: batch._id });
    return await jobs.findAll(ids);
  }

  /** Publishes a batch whose owner died, or that a replay, a repair or a deferral made, from its records. */
  async #publishClaimed(held: OwnBatch): Promise<void> {
    const { batch } = held;
    try {
      const records = held.jobs ?? (await this.#persist(held, () => this.#recordsOf(batch)));
      if (records === undefined) return;
      const refusedCount = batch.page === undefined ? 0 : batch.ids.length - records.length;
      await this.#publishPage(held, { ...divide(records, batch), refusedCount }, undefined);
    } finally {
      // After a defect the lease ends, and another relay may try.
      this.#held.delete(held);
    }
  }

  /**
   * Reads the records of a batch, and first records the jobs that the batch's maker had no time to record. Of a cancelled run it
   * cancels those that have not begun, so that the page counts and nothing of it is published.
   */
  async #recordsOf(batch: BatchRecord): Promise<JobRecord[]> {
    const { stores } = this.#options;
    const run = batch.page === undefined ? undefined : await stores.runs.find(batch.runId);
    if (run === undefined) return [...(await stores.jobs.findAll(batch.ids)).values()];
    const found = await this.#findTakingOver(batch.ids, { run, batch });
    if (found.size < batch.ids.length) await this.#recordMissing(run, batch, found);
    else if (run.cancelledAt === undefined) return [...found.values()];
    if (run.cancelledAt !== undefined) {
      await stores.jobs.cancelAllPending(batch.ids, run._id);
      await stores.runs.requestRecount(run._id);
    }
    return [...(await stores.jobs.findAll(batch.ids)).values()];
  }

  async #recordMissing(
    run: RunRecord,
    batch: BatchRecord,
    found: ReadonlyMap<string, JobRecord>,
  ): Promise<void> {
    const { clock } = this.#options.stores;
    const isMissing = ({ kind, key }: NewJob) => {
      const id = jobId(kind, key);
      return !found.has(id) && batch.ids.includes(id);
    };
    const origin = { runId: run._id, batch: batch._id, now: clock.now() };
    // Items that were added since push others out of the page, so reading goes on until the whole batch is covered.
    for (let after = batch.after ?? ''; ; ) {
      const page = await this.#source.page(run, after, BATCH_LIMIT);
      await this.#insertJobs(page.jobs.filter(isMissing).map((job) => newJob(job, origin)));
      if (page.isLast || page.last >= (batch.last ?? '')) return;
      after = page.last;
    }
  }

  /** Publishes the jobs of a held batch, stores what became of them, and counts the page for its run. */
  async #publishPage(
    held: OwnBatch,
    page: PublishablePage,
    own: OwnRun | undefined,
  ): Promise<void> {
    const kind = this.#kinds.get(held.batch.kind);
    try {
      if (kind === undefined) return;
      const result = await this.#publisher.publish(kind, page.toPublish, () => !held.isLost);
      // Each step is repeated by itself, since a batch that has moved to another relay cannot be moved again.
      const isLeft = await this.#persist(held, () => this.#storeLeft(held.batch, result));
      if (isLeft === false)
        await this.#persist(held, () => this.#markPublished(held.batch, page, own));
    } finally {
      this.#held.delete(held);
    }
  }

  /**
   * Stores which jobs the broker did not confirm.
   * @returns true where the whole batch was given back, because it must be published again.
   */
  async #storeLeft(
    batch: BatchRecord,
    { confirmed, deferred, impossible }: PublishedJobs,
  ): Promise<boolean> {
    if (impossible.length > 0) await this.#markImpossible(impossible);
    const left = [...deferred.values()].flat();
    if (left.length === 0) return false;
    const [reason] = deferred.keys();
    const laterMs = reason === 'stopped' ? 0 : DEFER_MS;
    const deferral = reason === 'stopped' ? undefined : reason;
    const hasOthers = confirmed.length > 0 || impossible.length > 0;
    if (hasOthers && (await this.#moveLeft(batch, left, { laterMs, deferral }))) return false;
    await this.#options.stores.batches.release(batch, laterMs, deferral);
    return true;
  }

  async #markPublished(
    batch: BatchRecord,
    { createdCount, skippedIds, refusedCount, ids }: PublishablePage,
    own: OwnRun | undefined,
  ): Promise<void> {
    const { batches, runs } = this.#options.stores;
    const isMine = await batches.markPublished(batch, { skippedIds, ids });
    if (!isMine || batch.page === undefined) return;
    await runs.recordPage(batch.runId, {
      stored: own && positionOf(own),
      created: createdCount,
      skipped: skippedIds.length,
      refused: refusedCount,
    });
  }

  /**
   * Puts the jobs that the broker did not confirm into a batch of their own, so that only these are published again.
   * @returns false where another relay has taken that batch before all of its jobs named it: it may have published the batch
   * without them, so the whole batch must be published again.
   */
  async #moveLeft(
    batch: BatchRecord,
    left: readonly JobRecord[],
    { laterMs, deferral }: { laterMs: number; deferral: string | undefined },
  ): Promise<boolean> {
    const { batches, jobs, clock } = this.#options.stores;
    const ids = left.map(({ _id }) => _id).sort();
    const now = clock.now();
    const rest = {
      _id: restBatchId(batch),
      runId: batch.runId,
      kind: batch.kind,
      ...(left.every(({ isUrgent }) => isUrgent === true) ? { isUrgent: true as const } : {}),
      ids,
      createdAt: batch.createdAt,
      owner: this.#owner,
    };
    const leaseUntil = operationLeaseEndAfter(now);
    const stored = (await batches.insert(rest, leaseUntil)) ?? (await this.#findOwnBatch(rest._id));
    if (stored === undefined) return false;
    await jobs.assignBatch(ids, rest._id);
    return await batches.release(stored, laterMs, deferral);
  }

  /**
   * A job that no message can be made of is dead: publishing it again would fail again, for ever. Its run is counted again from
   * its batches, because this step is repeated after an outage, and a repeated addition would count twice.
   */
  async #markImpossible(impossible: PublishedJobs['impossible']): Promise<void> {
    const { jobs, runs, clock } = this.#options.stores;
    for (const { job, error } of impossible) {
      this.#options.onEvent({ type: 'stageFailed', stage: 'relay', error });
      const { message: reason, fingerprint } = describeError(error);
      const death = { cause: 'malformed' as const, reason, fingerprint, at: clock.now() };
      await jobs.change('markDead', [{ id: job._id, generation: job.generation, death }]);
      await runs.requestRecount(job.runId);
    }
  }

  #hold<Lease extends Held>(held: Lease): Lease {
    this.#held.add(held);
    return held;
  }

  async #renewAll(): Promise<void> {
    // In an outage a round takes longer than the interval.
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    for (const held of [...this.#held]) {
      try {
        // A lease that was lost by a slow renewal is taken by another relay, whose fence refuses the writes of this one.
        if (!(await held.renew()) && this.#held.has(held)) {
          held.isLost = true;
          this.#held.delete(held);
        }
      } catch (thrown) {
        this.#reportError(thrown);
      }
    }
    this.#isRenewing = false;
  }

  /**
   * Repeats a step while the database is away.
   * @returns undefined once the relay stops, or once another process holds the run or batch.
   */
  async #persist<Answer>(held: Held, step: () => Promise<Answer>): Promise<Answer | undefined> {
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      if (held.isLost) return undefined;
      try {
        const answer = await step();
        this.#reportStoreUp();
        return answer;
      } catch (thrown) {
        if (!(thrown instanceof StoreUnavailable)) throw thrown;
        this.#reportError(thrown);
        if (this.#isStopped) return undefined;
        await pause(pauseMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  #reportError(thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const { onEvent } = this.#options;
    if (!(error instanceof StoreUnavailable))
      onEvent({ type: 'stageFailed', stage: 'relay', error });
    // Contention is no outage, and every step is repeated.
    else if (error.reason !== 'contention' && !this.#isStoreDown) {
      this.#isStoreDown = true;
      onEvent({ type: 'storeDown', stage: 'relay', error });
    }
  }

  #reportStoreUp(): void {
    if (this.#isStoreDown) this.#options.onEvent({ type: 'storeUp', stage: 'relay' });
    this.#isStoreDown = false;
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#isWoken || this.#isStopped) {
        resolve();
        return;
      }
      const timer = setTimeout(resolve, SEARCH_MS);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#isWoken = false;
    this.#endPause = undefined;
  }
}

/** What an insert of jobs found. */
interface Insertion {
  readonly existingIds: ReadonlySet<string>;
  /** Jobs that the database refuses to store. */
  readonly refusedIds: ReadonlySet<string>;
}

/** The jobs of a held batch, and what its run counts. */
interface PublishablePage {
  readonly toPublish: readonly JobRecord[];
  readonly createdCount: number;
  readonly skippedIds: readonly string[];
  readonly refusedCount: number;
  /** The jobs that belong to the batch, where others of it belong to another page; else undefined. */
  readonly ids: readonly string[] | undefined;
}

/** A page whose batch and jobs are stored; `held` is undefined where an earlier owner of the run made the batch. */
interface RecordedJobs extends PublishablePage, Pick<SourcePage, 'last' | 'isLast'> {
  readonly held: OwnBatch | undefined;
}

const NOTHING_RECORDED = {
  held: undefined,
  toPublish: [],
  createdCount: 0,
  skippedIds: [],
  refusedCount: 0,
  ids: undefined,
} as const;

/** Divides the stored jobs of a batch. Jobs that are not pending have been attempted, so the broker has had them. */
function divide(
  records: readonly JobRecord[],
  batch: BatchRecord,
): Omit<PublishablePage, 'refusedCount'> {
  const isPage = batch.page !== undefined;
  const own = records.filter((job) => !isOnOtherPage(job, batch));
  const created = own.filter(({ runId }) => !isPage || runId === batch.runId);
  return {
    toPublish: created.filter((job) => job.state === 'pending' && job.batch === batch._id),
    createdCount: created.length,
    skippedIds: isPage
      ? own.filter(({ runId }) => runId !== batch.runId).map(({ _id }) => _id)
      : [],
    ids: own.length === records.length ? undefined : own.map(({ _id }) => _id).sort(),
  };
}

/** Notes that the batch of a page is stored, and moves the position over every page that is stored without a gap. */
function notePage(own: OwnRun, page: number, last: string): void {
  own.storedBeyond.set(page, last);
  for (;;) {
    const cursor = own.storedBeyond.get(own.stored.nextPage);
    if (cursor === undefined) return;
    own.storedBeyond.delete(own.stored.nextPage);
    own.stored = { nextPage: own.stored.nextPage + 1, cursor };
  }
}

function positionOf({ stored, isRead, page }: OwnRun): StoredPages {
  return { ...stored, pageCount: isRead && stored.nextPage >= page ? page : undefined };
}
