/**
 * The retention deletes what is older than the policy allows: jobs of finished runs, later their effects, batches and runs.
 * It finds everything by its batches and deletes by id, so neither jobs nor effects need an index for it. One process at a
 * time runs its rounds, under a lease. Dead letters and heartbeats expire by indexes of their collections.
 */
import type { JobListener } from '../jobEvent.ts';
import { type BatchRecord, type BatchSummary, groupBatches } from '../record/batch.ts';
import { NO_RUN } from '../record/run.ts';
import type { KindSelection } from '../store/batchStore.ts';
import type { JobStores } from '../store/jobStores.ts';

/** Read in each round, so that a getter may change it at run time. */
export interface RetentionPolicy {
  /** Days from the end of a run, and from the publish of each of its batches, until the jobs are deleted. */
  readonly jobDays: number;
  /** The same for effects, batches and runs; not less than `jobDays`, because a job must not outlive its effect. */
  readonly effectDays: number;
}

export interface RetentionOptions {
  /** Stores for background tasks: their statements end before the lease does. */
  readonly stores: JobStores;
  readonly policy: RetentionPolicy;
  /** The policies of kinds that have one of their own. Runs have the common one. */
  readonly policyOf?: Readonly<Record<string, RetentionPolicy>>;
  /** @returns the ids of the effects that these jobs of one kind have stored; empty for a kind without effects. */
  readonly effectIdsOf: (kind: string, jobIds: readonly string[]) => readonly string[];
  /** @returns how many effects existed. @throws StoreUnavailable; the next round repeats the deletion. */
  readonly deleteEffects: (kind: string, ids: readonly string[]) => Promise<number>;
  /** Jobs of the batches of one round at most; default 20,000. A larger batch is worked on as well. */
  readonly jobLimit?: number;
  readonly onEvent: JobListener;
}

/** Kinds with the same policy. */
interface Scope {
  readonly kinds: KindSelection;
  readonly policy: RetentionPolicy;
}

/** What one round deleted. */
export interface RetentionRound {
  readonly jobs: number;
  readonly effects: number;
  readonly batches: number;
  readonly runs: number;
  /** True: the round reached its limit, so the next one should follow soon. */
  readonly hasMore: boolean;
}

const DAY_MS = 86_400_000;
const JOB_LIMIT = 20_000;
const RUN_LIMIT = 20;

export class Retention {
  readonly #options: RetentionOptions;
  readonly #jobLimit: number;
  readonly #scopes: readonly Scope[];
  /** Runs that this pass leaves alone, because they are not finished or not old enough. */
  #kept = new Set<string>();
  /** The pass over the finished runs continues after runs that were created at this time. */
  #createdAfter = new Date(0);

  /** @throws RangeError where a policy keeps effects for a shorter time than jobs. */
  constructor(options: RetentionOptions) {
    const { policy, policyOf = {} } = options;
    for (const { jobDays, effectDays } of [policy, ...Object.values(policyOf)])
      if (effectDays < jobDays)
        throw new RangeError(`effects must be kept for at least as long as jobs (${jobDays} days)`);
    this.#options = options;
    // One query for all kinds of a policy, because a database may have many kinds and few policies.
    const others = Map.groupBy(
      Object.entries(policyOf),
      ([, { jobDays, effectDays }]) => `${jobDays} ${effectDays}`,
    );
    this.#scopes = [
      { kinds: { except: Object.keys(policyOf) }, policy },
      ...[...others.values()].map((same) => ({
        kinds: { only: same.map(([kind]) => kind) },
        policy: same[0]?.[1] ?? policy,
      })),
    ];
    this.#jobLimit = options.jobLimit ?? JOB_LIMIT;
  }

  /** Every step may be repeated, so a process that is killed loses only time. @throws StoreUnavailable, StatementRefused */
  async round(): Promise<RetentionRound> {
    const { stores, policy, onEvent } = this.#options;
    const now = await stores.clock.read();
    const before = (days: number) => new Date(now.getTime() - days * DAY_MS);
    const round = { jobs: 0, effects: 0, batches: 0, runs: 0 };
    let hasMoreJobs = false;
    let hasMoreEffects = false;
    for (const { kinds, policy: ofKinds } of this.#scopes) {
      const jobs = await this.#deleteJobs(kinds, before(ofKinds.jobDays));
      const effects = await this.#deleteEffects(kinds, before(ofKinds.effectDays));
      round.jobs += jobs.jobCount;
      round.effects += effects.effectCount;
      round.batches += jobs.batchCount + effects.batchCount;
      hasMoreJobs ||= jobs.hasMore;
      hasMoreEffects ||= effects.hasMore;
    }
    const runs = await this.#deleteRuns(before(policy.effectDays));
    round.runs = runs.runCount;
    const hasMore = hasMoreJobs || hasMoreEffects || runs.hasMore;
    // The next pass looks again at the runs that this one left alone.
    if (!hasMoreJobs) this.#kept.clear();
    if (Object.values(round).some((count) => count > 0)) onEvent({ type: 'expired', ...round });
    return { ...round, hasMore };
  }

  /** Deletes the jobs of ended batches whose run finished before a time. Batches of operations have no jobs of their own. */
  async #deleteJobs(
    kinds: KindSelection,
    before: Date,
  ): Promise<{ jobCount: number; batchCount: number; hasMore: boolean }> {
    const { batches, runs } = this.#options.stores;
    const old = await batches.publishedBefore('ended', before, {
      kinds,
      exceptRunIds: [...this.#kept],
      jobLimit: this.#jobLimit,
    });
    const operations = old.batches.filter((batch) => !hasJobs(batch));
    await batches.delete(idsOf(operations));
    const withJobs = old.batches.filter(hasJobs);
    const pages = withJobs.filter(({ createsJobs }) => createsJobs !== true);
    const ofRuns = await runs.findSmall([...new Set(pages.map(({ runId }) => runId))]);
    const isOver = ({ runId }: BatchSummary) => {
      const run = ofRuns.get(runId);
      return run === undefined || isFinishedBefore(run, before);
    };
    const [over, others] = [withJobs.filter(isOver), withJobs.filter((batch) => !isOver(batch))];
    for (const { runId } of others) this.#kept.add(runId);
    let jobCount = 0;
    for (const [runId, ofRun] of Map.groupBy(over, creatorOf))
      for (const group of groupBatches(ofRun)) jobCount += await this.#deleteJobsOf(group, runId);
    return { jobCount, batchCount: operations.length, hasMore: old.hasMore };
  }

  /**
   * Deletes the jobs of some batches. A batch of which a job has not reached a final state stays.
   * @param creator what all of these jobs have as their run.
   * @returns how many were deleted.
   */
  async #deleteJobsOf(group: readonly BatchSummary[], creator: string): Promise<number> {
    const { batches, jobs } = this.#options.stores;
    const read = await batches.findAll(idsOf(group), ['runId', 'ids', 'skippedIds']);
    const ids = read.flatMap(createdIdsOf);
    const jobCount = await jobs.deleteEnded(ids, creator);
    const left = await jobs.existing(ids, creator);
    const isKept = (batch: BatchRecord) => createdIdsOf(batch).some((id) => left.has(id));
    for (const { runId } of read.filter(isKept)) this.#kept.add(runId);
    await batches.markCleared(idsOf(read.filter((batch) => !isKept(batch))));
    return jobCount;
  }

  /** Deletes the effects of batches whose jobs are deleted, and then these batches. */
  async #deleteEffects(
    kinds: KindSelection,
    before: Date,
  ): Promise<{ effectCount: number; batchCount: number; hasMore: boolean }> {
    const { stores, effectIdsOf, deleteEffects } = this.#options;
    let effectCount = 0;
    const { batches } = stores;
    const jobLimit = this.#jobLimit;
    const old = await batches.publishedBefore('cleared', before, { kinds, jobLimit });
    for (const group of groupBatches(old.batches)) {
      const read = await batches.findAll(idsOf(group), ['kind', 'ids', 'skippedIds']);
      for (const [kind, ofKind] of Map.groupBy(read, (batch) => batch.kind)) {
        const effectIds = effectIdsOf(kind, ofKind.flatMap(createdIdsOf));
        if (effectIds.length > 0) effectCount += await deleteEffects(kind, effectIds);
      }
      await batches.delete(idsOf(group));
    }
    return { effectCount, batchCount: old.batches.length, hasMore: old.hasMore };
  }

  /** Deletes finished runs that have no batch any more. */
  async #deleteRuns(before: Date): Promise<{ runCount: number; hasMore: boolean }> {
    const { batches, runs } = this.#options.stores;
    let runCount = 0;
    const old = await runs.finishedBefore(before, this.#createdAfter, RUN_LIMIT);
    for (const { _id } of old) {
      if (await batches.hasAny(_id, ['open', 'published', 'ended', 'cleared'])) continue;
      await runs.delete(_id);
      runCount += 1;
    }
    const last = old.length === RUN_LIMIT ? old.at(-1) : undefined;
    this.#createdAfter = last?.createdAt ?? new Date(0);
    return { runCount, hasMore: last !== undefined };
  }
}

function isFinishedBefore(
  { isActive, finishedAt }: { readonly isActive: boolean; readonly finishedAt?: Date },
  time: Date,
): boolean {
  return !isActive && finishedAt !== undefined && finishedAt < time;
}

/** @returns whether the batch created jobs; batches of replays and repairs publish those of others again. */
function hasJobs({ page, createsJobs }: BatchSummary): boolean {
  return page !== undefined || createsJobs === true;
}

/** @returns what the jobs of the batch have as their run. */
function creatorOf({ runId, createsJobs }: BatchSummary): string {
  return createsJobs === true ? NO_RUN : runId;
}

function idsOf(batches: readonly Pick<BatchRecord, '_id'>[]): string[] {
  return batches.map(({ _id }) => _id);
}

/** @returns the jobs of the batch that its run created; those that it skipped belong to another run's batch. */
function createdIdsOf({ ids, skippedIds }: BatchRecord): string[] {
  const skipped = new Set(skippedIds);
  return ids.filter((id) => !skipped.has(id));
}
