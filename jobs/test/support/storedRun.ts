/** Runs, batches and jobs in the database as the relay and the workers leave them, without a broker. */
import { randomUUID } from 'node:crypto';
import { newJob, pageBatchId, type RunRecord } from '@fit/jobs';
import { NO_RUN } from '../../src/record/run.ts';
import type { TestStore } from './testStore.ts';

export const HOUR_MS = 3_600_000;

export interface StoredPage {
  /** Number of jobs that the run creates. */
  readonly created: number;
  /** Jobs that earlier runs have created. */
  readonly skippedIds?: readonly string[];
  /** Jobs of the batch that have no record, because the database refused them. */
  readonly refused?: number;
  /** True: the process died before it had published the batch. */
  readonly isOpen?: boolean;
  /** True: the process died after it had marked the batch, and before it had recorded the page in the run. */
  readonly isUnrecorded?: boolean;
}

export interface StoredRun {
  readonly id: string;
  /** Ids of the jobs that the run created, by page. */
  readonly pages: readonly (readonly string[])[];
  readonly jobIds: readonly string[];
}

/** Stores an expanded run. Its items have the run's id in front, so no two runs share any. */
export async function storeRun(
  store: TestStore,
  pages: readonly StoredPage[],
  { kind = 'trivial', id = randomUUID() }: { kind?: string; id?: string } = {},
): Promise<StoredRun> {
  const { runs, batches, jobs, clock } = store;
  const now = clock.now();
  const leaseUntil = new Date(now.getTime() + HOUR_MS);
  await runs.insertIfAbsent({ _id: id, request: {}, requestHash: '' }, 'test');
  const created: string[][] = [];
  for (const [page, stored] of pages.entries()) {
    const after = page === 0 ? '' : itemOf(id, page, -1);
    const batchId = pageBatchId(id, after);
    const total = stored.created + (stored.refused ?? 0);
    const all = Array.from({ length: total }, (_, index) =>
      newJob(
        { kind, key: itemOf(id, page, index), payload: { outcome: 'done' } },
        { runId: id, batch: batchId, now },
      ),
    );
    const records = all.slice(0, stored.created);
    const skippedIds = stored.skippedIds ?? [];
    await jobs.insert(records);
    const batch = await batches.insert(
      {
        _id: batchId,
        runId: id,
        page,
        after,
        last: itemOf(id, page + 1, -1),
        kind,
        ids: [...all.map(({ _id }) => _id), ...skippedIds].sort(),
        createdAt: now,
        owner: 'test',
      },
      leaseUntil,
    );
    created.push(records.map(({ _id }) => _id));
    if (batch === undefined) throw new Error(`batch ${batchId} exists`);
    if (stored.isOpen === true) continue;
    await batches.markPublished(batch, { skippedIds });
    if (stored.isUnrecorded === true) continue;
    await runs.recordPage(id, {
      stored: { nextPage: page + 1, cursor: itemOf(id, page + 1, -1), pageCount: undefined },
      created: stored.created,
      skipped: skippedIds.length,
      refused: stored.refused ?? 0,
    });
  }
  const position = { nextPage: pages.length, cursor: '~', pageCount: pages.length };
  await runs.movePosition({ _id: id, fence: 1 }, position);
  return { id, pages: created, jobIds: created.flat() };
}

/** Stores jobs that were enqueued one by one and published: each has a batch of its own, and all batches have one id as their run. */
export async function storeSingles(
  store: TestStore,
  count: number,
  { kind = 'trivial', runId = `enqueue-${randomUUID()}` } = {},
): Promise<{ readonly runId: string; readonly jobIds: readonly string[] }> {
  const now = store.clock.now();
  const numbers = Array.from({ length: count }, (_, index) => String(index).padStart(6, '0'));
  const jobs = numbers.map((number) =>
    newJob(
      { kind, key: `${runId}-${number}`, payload: { outcome: 'done' } },
      { runId: NO_RUN, batch: `${runId}:${number}`, now },
    ),
  );
  await store.jobs.insert(jobs);
  await store.raw('batches').insertMany(
    jobs.map(({ _id, batch }, index) => ({
      _id: batch,
      runId,
      kind,
      ids: [_id],
      createsJobs: true,
      state: 'published',
      createdAt: now,
      publishedAt: new Date(now.getTime() - count + index),
      owner: '',
      leaseUntil: now,
      fence: 1,
    })),
  );
  return { runId, jobIds: jobs.map(({ _id }) => _id) };
}

function itemOf(runId: string, page: number, index: number): string {
  return `${runId}-${String(page).padStart(5, '0')}-${String(index + 1).padStart(5, '0')}`;
}

/** Finishes jobs as a worker does. @param isCounted false: the worker died before it had counted them for their run. */
export async function finishJobs(
  store: TestStore,
  runId: string,
  ids: readonly string[],
  isCounted = true,
): Promise<void> {
  await store.jobs.finish({ ids, attemptCount: 1, workerId: 'worker' });
  if (isCounted)
    await store.runs.addEnds(runId, { done: ids.length, dead: 0, cancelled: 0, causes: {} });
}

/** Marks jobs dead as the dead-letter recorder does. */
export async function killJobs(
  store: TestStore,
  runId: string,
  ids: readonly string[],
  cause: 'exhausted' | 'fatal' = 'exhausted',
): Promise<void> {
  const death = { cause, fingerprint: 'f', reason: 'r', at: store.clock.now() };
  await store.jobs.change(
    'markDead',
    ids.map((id) => ({ id, generation: 1, death })),
  );
  const causes = { [cause]: ids.length };
  await store.runs.addEnds(runId, { done: 0, dead: ids.length, cancelled: 0, causes });
}

/** Moves the times of batches, jobs and run into the past. */
export async function age(store: TestStore, runId: string, byMs: number): Promise<void> {
  const past = new Date(store.clock.now().getTime() - byMs);
  await store
    .raw('batches')
    .updateMany({ runId, publishedAt: { $exists: true } }, { $set: { publishedAt: past } });
  await store.raw('jobs').updateMany({ runId }, { $set: { stateAt: past } });
  await store
    .raw('runs')
    .updateMany({ _id: runId, finishedAt: { $exists: true } }, { $set: { finishedAt: past } });
  await store.raw('runs').updateMany({ _id: runId }, { $set: { createdAt: past } });
}

export async function findRun(store: TestStore, id: string): Promise<RunRecord> {
  const run = await store.runs.find(id);
  if (run === undefined) throw new Error(`there is no run ${id}`);
  return run;
}

/** @returns the numbers of jobs by state. */
export async function statesOf(
  store: TestStore,
  ids: readonly string[],
): Promise<Record<string, number>> {
  return (await store.jobs.countAmong(ids)).states;
}
