/** A request to replay dead jobs: what it would do, and how it becomes an operation. Routes and the replay command share it. */
import type { ReplayFilter, SkippedJob } from '@fit/jobs';
import type { DeadJobWithPayload, JobStores } from '@fit/jobs/store';
import { editPayload, type PayloadRules } from './editPayload.ts';
import type { OperationRecord, OperationRequest } from './operation.ts';
import type { OperationStore } from './store/operationStore.ts';

export interface ReplayRequestParts {
  readonly stores: Pick<JobStores, 'dead' | 'clock'>;
  readonly operations: Pick<OperationStore, 'create'>;
  readonly rules: PayloadRules;
}

export interface ReplayRequest
  extends Pick<
    OperationRequest,
    'ratePerSecond' | 'limit' | 'pauseAfter' | 'reason' | 'accountId' | 'traceparent'
  > {
  /** The selection as it was requested. */
  readonly selection: unknown;
  readonly filter: ReplayFilter;
  /** Fixes the set of jobs; default: now. */
  readonly diedUntil?: Date | undefined;
  /** New values of fields of the payloads. */
  readonly edit?: object | undefined;
}

/** What a replay would do at this moment. */
export interface ReplayCheck {
  /** Only jobs that died no later; the same time makes the operation the same. */
  readonly diedUntil: Date;
  /** Number of jobs that match, exactly. */
  readonly matched: number;
  /** Selected ids that a replay would skip. */
  readonly skipped: readonly SkippedJob[];
  /** Jobs whose payload cannot be edited so; with any of them the operation is refused. */
  readonly misfits: readonly SkippedJob[];
  readonly samples: readonly ReplaySample[];
}

export interface ReplaySample extends Omit<DeadJobWithPayload, 'runId' | 'isUrgent'> {
  /** The payload after the edit; absent without one, and of a job that it does not fit. */
  readonly editedPayload?: unknown;
}

const SAMPLE_COUNT = 5;
/** Jobs that an edit checks at most: a thousand take about a tenth of a second. */
export const EDIT_LIMIT = 10_000;
/** Payloads that are read at a time; each may have 60 KiB, and the answer of a statement 16 MB. */
const PAYLOADS_AT_A_TIME = 100;

/** More jobs match than an edit can check. */
export class TooManyToEdit extends Error {
  override readonly name = 'TooManyToEdit';
}

/** @throws TooManyToEdit; RangeError where `diedUntil` has not come yet; StoreUnavailable */
export async function checkReplay(
  { stores: { dead, clock }, rules }: ReplayRequestParts,
  { filter, edit, ...request }: Pick<ReplayRequest, 'filter' | 'edit' | 'diedUntil'>,
): Promise<ReplayCheck> {
  const now = await clock.read();
  const diedUntil = request.diedUntil ?? now;
  if (diedUntil > now) throw new RangeError(`it is ${now.toISOString()} now`);
  const matched = await dead.count(filter, diedUntil);
  if (edit !== undefined && matched > EDIT_LIMIT)
    throw new TooManyToEdit(`${matched} jobs match, and an edit takes ${EDIT_LIMIT} at most`);
  const samples = await dead.nextWithPayload(filter, diedUntil, SAMPLE_COUNT);
  const misfits: SkippedJob[] = [];
  if (edit !== undefined) {
    const ids = (await dead.next(filter, diedUntil, EDIT_LIMIT)).map(({ _id }) => _id);
    for (let from = 0; from < ids.length; from += PAYLOADS_AT_A_TIME) {
      const some = { ids: ids.slice(from, from + PAYLOADS_AT_A_TIME) };
      for (const job of await dead.nextWithPayload(some, diedUntil, PAYLOADS_AT_A_TIME)) {
        const { fault } = editPayload(rules, job, edit);
        if (fault !== undefined) misfits.push({ id: job._id, reason: fault });
      }
    }
  }
  return {
    diedUntil,
    matched,
    skipped: filter.ids === undefined ? [] : await dead.skippedAmong(filter.ids, diedUntil),
    misfits,
    samples: samples.map((job) => sampleOf(job, edit, rules)),
  };
}

function sampleOf(
  { _id, kind, cause, reason, payload }: DeadJobWithPayload,
  edit: object | undefined,
  rules: PayloadRules,
): ReplaySample {
  const sample = { _id, kind, cause, reason, payload };
  const edited = edit === undefined ? undefined : editPayload(rules, { _id, kind, payload }, edit);
  return edited === undefined || edited.fault !== undefined
    ? sample
    : { ...sample, editedPayload: edited.payload };
}

/**
 * Stores the operation; a monolith then carries it out.
 * @param id a repetition with the same id finds the first operation.
 * @param check of the same request; without misfits.
 */
export async function storeOperation(
  { stores, operations }: ReplayRequestParts,
  id: string,
  { selection, filter, edit, ...request }: ReplayRequest,
  { diedUntil, matched, skipped }: ReplayCheck,
): Promise<OperationRecord> {
  return await operations.create(
    id,
    {
      ...request,
      selection: JSON.stringify(selection),
      filter,
      diedUntil,
      matched,
      ...(edit === undefined ? {} : { edit: JSON.stringify(edit) }),
    },
    skipped,
    stores.clock.now(),
  );
}
