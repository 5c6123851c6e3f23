/**
 * Carries out operations: part by part at their pace, and follows the replayed jobs until they end. Everything that must survive
 * this process is in the operation's record: the part that is carried out, when the next one may begin, what was counted.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { groupsOf, READ_COUNT, type ReplayFilter, replayGroup, StatementRefused } from '@fit/jobs';
import type { DeadJob, JobStores, PayloadEdit, RunStore } from '@fit/jobs/store';
import { editPayload, type PayloadRules } from './editPayload.ts';
import {
  NO_OUTCOMES,
  type OperationPart,
  type OperationRecord,
  type PartRecord,
  paceOf,
  type ReplayOutcome,
} from './operation.ts';
import { outcomesOf } from './outcomes.ts';
import type { OperationStore } from './store/operationStore.ts';

export interface OperationRunnerOptions {
  /** Stores for background tasks: their statements end before the lease does. */
  readonly stores: Pick<JobStores, 'batches' | 'dead' | 'jobs' | 'runs' | 'clock'>;
  /** Takes jobs out of the counts of their runs; each addition is tried once. */
  readonly countingRuns: RunStore;
  readonly operations: OperationStore;
  readonly rules: PayloadRules;
  /** Called after each part, so that the relay publishes its batch at once. */
  readonly onPart: () => void;
}

/** A round waits this long for a part that is due soon, in milliseconds; what is due later is left to the next round. */
const LONGEST_WAIT_MS = 1_000;
/** Parts of one operation that a round looks at to see whether their jobs have ended. */
const SETTLED_AT_A_TIME = 20;

interface FoundJobs {
  /** Number of the part that they are for. */
  readonly nextPart: number;
  readonly jobs: DeadJob[];
}

export class OperationRunner {
  readonly #options: OperationRunnerOptions;
  /** Dead jobs that were read and not replayed yet, by operation; a part is taken from their front. */
  readonly #found = new Map<string, FoundJobs>();

  constructor(options: OperationRunnerOptions) {
    this.#options = options;
  }

  /**
   * Carries out what is due in every operation.
   * @param signal ends the wait for the next part.
   * @returns true where a part is due at once.
   * @throws StoreUnavailable, or the first defect; the next round continues.
   */
  async round(signal: AbortSignal): Promise<boolean> {
    const active = await this.#options.operations.active();
    const ids = new Set(active.map(({ _id }) => _id));
    for (const id of this.#found.keys()) if (!ids.has(id)) this.#found.delete(id);
    let dueAtMs = Infinity;
    const errors: unknown[] = [];
    for (const operation of active) {
      // An operation that cannot go on must not hold up the others.
      const next = await this.#advance(operation).catch((error: unknown) => {
        errors.push(error);
        return undefined;
      });
      if (next !== undefined) dueAtMs = Math.min(dueAtMs, next.getTime());
    }
    if (errors.length > 0) throw errors[0];
    const waitMs = dueAtMs - this.#options.stores.clock.now().getTime();
    if (waitMs > LONGEST_WAIT_MS) return false;
    if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => undefined);
    return true;
  }

  /** @returns when the next part is due; undefined where none follows. */
  async #advance(found: OperationRecord): Promise<Date | undefined> {
    const { operations, stores } = this.#options;
    let operation = found;
    // Also of an operation that was paused or aborted: a process may have been killed in the middle of this part.
    if (operation.part !== undefined) await this.#carryOut(operation, operation.part);
    else if (operation.state === 'running' && operation.nextAt <= stores.clock.now()) {
      const taken = await this.#take(operation);
      if (taken?.part !== undefined) {
        operation = taken;
        await this.#carryOut(taken, taken.part);
      }
    }
    await this.#settle(operation);
    if (operation.state === 'running') return operation.nextAt;
    if (operation.state !== 'paused') await operations.retire(operation);
    return undefined;
  }

  /** @returns the operation with its next part; undefined where none is taken, because the operation ends or pauses. */
  async #take(operation: OperationRecord): Promise<OperationRecord | undefined> {
    const { operations } = this.#options;
    const { _id, replayed, limit = Infinity, pauseAfter = Infinity } = operation;
    if (replayed >= pauseAfter) {
      await operations.changeState(_id, ['running'], 'paused');
      return undefined;
    }
    const { size, intervalMs } = paceOf(operation);
    const count = Math.min(size, limit - replayed, pauseAfter - replayed);
    const found = count > 0 ? await this.#candidates(operation) : [];
    const jobs = groupsOf(found, count)[0] ?? [];
    if (jobs.length === 0) {
      await operations.changeState(_id, ['running'], 'completed');
      return undefined;
    }
    const taken = await operations.take(operation, jobs, intervalMs);
    if (taken === undefined) this.#found.delete(_id);
    else this.#found.set(_id, { nextPart: taken.nextPart, jobs: found.slice(jobs.length) });
    return taken;
  }

  /** @returns jobs that are still to be replayed, those of one kind and urgency together; none where all are. */
  async #candidates({ _id, nextPart, filter, diedUntil }: OperationRecord): Promise<DeadJob[]> {
    const known = this.#found.get(_id);
    // Another process may have had the lease meanwhile, and have replayed these jobs in its parts.
    if (known?.nextPart === nextPart && known.jobs.length > 0) return known.jobs;
    const read = await this.#options.stores.dead.next(filter, diedUntil, READ_COUNT);
    return groupsOf(read, READ_COUNT).flat();
  }

  async #carryOut(operation: OperationRecord, part: OperationPart): Promise<void> {
    const { stores, countingRuns, operations, onPart } = this.#options;
    const { _id: operationId, diedUntil, traceparent } = operation;
    if (part.skipped !== undefined) {
      const { skipped } = part;
      const now = stores.clock.now();
      await operations.finishPart(operationId, part, { replayedIds: [], skipped }, now);
      return;
    }
    const skipAll = async (reason: string) => {
      // No part follows a failed one, so the state changes first.
      await operations.changeState(operationId, ['running', 'paused'], 'failed', reason);
      const skipped = part.jobs.map(({ _id: id }) => ({ id, reason }));
      await operations.finishPart(
        operationId,
        part,
        { replayedIds: [], skipped },
        stores.clock.now(),
      );
    };
    const edited = await this.#edit(operation, part);
    if (edited.fault !== undefined) {
      await skipAll(edited.fault);
      return;
    }
    try {
      const group = await replayGroup(
        { stores, countingRuns },
        {
          operationId,
          number: part.number,
          jobs: part.jobs,
          diedUntil,
          edits: edited.edits,
          traceparent,
        },
      );
      await operations.finishPart(operationId, part, group, stores.clock.now());
    } catch (error) {
      if (!(error instanceof StatementRefused)) throw error;
      await skipAll(`the database refuses it: ${error.message.slice(0, 300)}`);
    }
    onPart();
  }

  /** @returns the new payloads of the jobs of a part that are not replayed yet. */
  async #edit(
    { edit, diedUntil }: OperationRecord,
    { jobs }: OperationPart,
  ): Promise<{ readonly edits?: readonly PayloadEdit[]; readonly fault?: string }> {
    if (edit === undefined) return {};
    const filter: ReplayFilter = { ids: jobs.map(({ _id }) => _id) };
    const { dead } = this.#options.stores;
    const edits: PayloadEdit[] = [];
    for (const job of await dead.nextWithPayload(filter, diedUntil, jobs.length)) {
      const { payload, fault } = editPayload(this.#options.rules, job, JSON.parse(edit) as unknown);
      // Every job was checked before the operation was stored, and its payload has not changed since.
      if (fault !== undefined) return { fault: `${job._id}: ${fault}` };
      edits.push({ id: job._id, payload });
    }
    return { edits };
  }

  /** Keeps the ends of the oldest parts whose jobs have all ended. */
  async #settle(operation: OperationRecord): Promise<void> {
    const { operations } = this.#options;
    if (operation.settledParts >= operation.nextPart) return;
    const parts = await operations.parts(operation._id, operation.settledParts, SETTLED_AT_A_TIME);
    let partCount = 0;
    const counts: Record<ReplayOutcome, number> = { ...NO_OUTCOMES };
    for (const part of parts) {
      const ends = await this.#endsOf(operation._id, part);
      if (ends.includes('pending')) break;
      await operations.settlePart(part, ends);
      for (const end of ends) counts[end] += 1;
      partCount += 1;
    }
    if (partCount > 0) await operations.countSettled(operation, partCount, counts);
  }

  async #endsOf(operationId: string, part: PartRecord): Promise<readonly ReplayOutcome[]> {
    const { jobs } = this.#options.stores;
    return part.ends ?? (await outcomesOf(jobs, operationId, part.replayedIds));
  }
}
