/** Stores the content of dead letters in the database. After it returns, the dead letters may be acknowledged. */
import { attemptOf } from '@fit/topology';
import type { JobEnd, JobListener } from '../jobEvent.ts';
import { isReplayed, type JobRecord } from '../record/jobRecord.ts';
import { disagreementOf, isBodyOf } from '../record/messageAgreement.ts';
import { type JobState, LIVE_STATES } from '../record/transitions.ts';
import type { EndCounter } from '../settle/endCounter.ts';
import type { DeadLetter } from '../store/deadLetterStore.ts';
import type { JobStores } from '../store/jobStores.ts';
import type { ReceivedDeadLetter } from './readDeadLetter.ts';

export interface RecordDeadLettersOptions {
  readonly stores: Pick<JobStores, 'jobs' | 'deadLetters' | 'clock'>;
  /** Counts the ends of jobs for their runs. */
  readonly endCounter: EndCounter;
  /**
   * Finds the jobs whose effect is stored, of any kind: these are done, however their messages ended.
   * @returns the ids of these jobs.
   */
  readonly findStoredEffects: (jobs: readonly JobRecord[]) => Promise<ReadonlySet<string>>;
  readonly onEvent: JobListener;
}

/** A dead letter and the record of the job that it names. */
interface ComparedDeadLetter {
  readonly deadLetter: ReceivedDeadLetter;
  /** Undefined where no job has the id that the dead letter names. */
  readonly record: JobRecord | undefined;
  /** Why the dead letter does not belong to that job; undefined where it agrees with the record, and where no record exists. */
  readonly forgery: string | undefined;
}

/** A dead letter that agrees with the record of its job. */
interface DeadJob {
  readonly deadLetter: ReceivedDeadLetter;
  readonly record: JobRecord;
}

/**
 * Marks a live job dead with the cause of its dead letter, where the dead letter agrees with the job's record. A job whose
 * effect is stored is done instead: an attempt stored the effect, and was killed before it could write the record. A job
 * that is done or cancelled does not change. A dead letter that names no job, that is malformed, or that does not agree with
 * the record is stored itself.
 * @throws StoreUnavailable, StatementRefused; repeating is safe.
 */
export async function recordDeadLetters(
  deadLetters: readonly ReceivedDeadLetter[],
  options: RecordDeadLettersOptions,
): Promise<void> {
  const ids = deadLetters.flatMap(({ jobId }) => (jobId === undefined ? [] : [jobId]));
  const records = await options.stores.jobs.findAll(ids);
  const compared = deadLetters.map((deadLetter): ComparedDeadLetter => {
    const record = records.get(deadLetter.jobId ?? '');
    return { deadLetter, record, forgery: record && forgeryOf(deadLetter, record) };
  });
  const deadJobs = compared.flatMap(({ deadLetter, record, forgery }) =>
    record === undefined || forgery !== undefined ? [] : [{ deadLetter, record }],
  );
  const stored = await finishStored(deadJobs, options);
  await markDead(
    deadJobs.filter(({ record }) => !stored.has(record._id)),
    options,
  );
  await storeOthers(compared, options);
}

/**
 * Finishes the jobs whose effect is stored, also those that the worker has marked dead: the effect may have been stored after
 * the worker looked for it.
 * @returns the ids of the jobs whose effect is stored.
 */
async function finishStored(
  deadJobs: readonly DeadJob[],
  { stores, endCounter, findStoredEffects, onEvent }: RecordDeadLettersOptions,
): Promise<ReadonlySet<string>> {
  const unfinished = deadJobs.filter(({ record }) => UNFINISHED_STATES.has(record.state));
  if (unfinished.length === 0) return new Set();
  const stored = await findStoredEffects(unfinished.map(({ record }) => record));
  const finished = unfinished.filter(({ record }) => stored.has(record._id));
  for (const [kind, group] of Map.groupBy(finished, kindOf)) {
    const { finished: finishedCount, revived } = await stores.jobs.finishEach(
      group.map(({ record }) => ({ id: record._id, generation: record.generation })),
    );
    const count = finishedCount + revived;
    endCounter.add({
      runIds: group.map(({ record }) => record.runId),
      end: 'done',
      changedCount: count,
      revivedCount: revived,
    });
    if (count > 0) onEvent({ type: 'finished', kind, count, ends: endsOf(group, count, stores) });
  }
  return stored;
}

async function markDead(
  deadJobs: readonly DeadJob[],
  { stores, endCounter, onEvent }: RecordDeadLettersOptions,
): Promise<void> {
  // The worker records a fatal attempt before it acknowledges the message, so its dead letter adds nothing.
  const dying = deadJobs.filter(
    ({ deadLetter, record }) => deadLetter.cause !== 'fatal' && LIVE_STATES.includes(record.state),
  );
  for (const [cause, ofCause] of Map.groupBy(dying, ({ deadLetter }) => deadLetter.death.cause))
    for (const [kind, group] of Map.groupBy(ofCause, kindOf)) {
      const count = await stores.jobs.change(
        'markDead',
        group.map(({ deadLetter, record }) => ({
          id: record._id,
          generation: deadLetter.claimedMessage?.generation ?? record.generation,
          death: deadLetter.death,
        })),
      );
      endCounter.add({
        runIds: group.map(({ record }) => record.runId),
        end: 'dead',
        cause,
        changedCount: count,
      });
      if (count > 0)
        onEvent({ type: 'deadLettered', kind, cause, count, ends: endsOf(group, count, stores) });
    }
}

const UNFINISHED_STATES: ReadonlySet<JobState> = new Set([...LIVE_STATES, 'dead']);

function kindOf({ deadLetter }: DeadJob): string {
  return deadLetter.kind.kind;
}

/**
 * Stores the dead letters that name no job, that are forged, or that are malformed. A malformed dead letter of a job is not
 * reported, because the death of its job is reported already.
 */
async function storeOthers(
  compared: readonly ComparedDeadLetter[],
  options: RecordDeadLettersOptions,
): Promise<void> {
  const stored = compared.filter((item) => !agrees(item) || item.deadLetter.cause === 'malformed');
  const { deadLetters, clock } = options.stores;
  const newIds = await deadLetters.store(stored.map(storedFormOf), clock.now());
  const reported = stored.filter((item) => newIds.delete(item.deadLetter.id) && !agrees(item));
  const causeOf = ({ deadLetter, forgery }: ComparedDeadLetter) =>
    forgery === undefined ? deadLetter.cause : ('forged' as const);
  for (const [cause, group] of Map.groupBy(reported, causeOf)) {
    const kind = group[0]?.deadLetter.kind.kind ?? 'unknown';
    options.onEvent({ type: 'deadLetterStored', kind, cause, count: group.length });
  }
}

function storedFormOf({ deadLetter, forgery }: ComparedDeadLetter): DeadLetter {
  const { id, cause, reason, messageId, routingKey, body, bodyBytes, bodyHash, headers } =
    deadLetter;
  return {
    id,
    cause: forgery === undefined ? cause : 'forged',
    reason: forgery === undefined ? reason : `${forgery} (it says ${cause}: ${reason})`,
    messageId,
    routingKey,
    body,
    bodyBytes,
    ...(bodyHash === undefined ? {} : { bodyHash }),
    headers,
  };
}

/** @returns whether the dead letter belongs to the job that it names. */
function agrees({ record, forgery }: ComparedDeadLetter): boolean {
  return record !== undefined && forgery === undefined;
}

/** The store returns how many jobs changed, but not which, so where some did not change the ends have no job id. */
function endsOf(
  group: readonly DeadJob[],
  count: number,
  { clock }: RecordDeadLettersOptions['stores'],
): JobEnd[] {
  const nowMs = clock.now().getTime();
  return group.slice(0, count).map(({ record }) => ({
    jobId: count === group.length ? record._id : undefined,
    attemptCount: record.attemptCount,
    endToEndMs: isReplayed(record) ? undefined : Math.max(0, nowMs - record.createdAt.getTime()),
  }));
}

/**
 * Compares id, generation, payload and history with the record, because any publisher can put a job's id on any message.
 * @returns why the dead letter does not belong to the job; undefined where it agrees.
 */
function forgeryOf(deadLetter: ReceivedDeadLetter, record: JobRecord): string | undefined {
  const { claimedMessage, kind, routingKey } = deadLetter;
  if (claimedMessage === undefined || deadLetter.cause === 'malformed') {
    // Workers refuse genuine messages that come by a key or to a queue of another kind, so anybody could end a job by those.
    if (kind.kind !== record.kind || attemptOf(kind, routingKey, {}) === undefined)
      return 'forged: its routing key is not one of the kind of the job';
    return isBodyOf(record, deadLetter.body)
      ? undefined
      : 'forged: its body is not that of the job';
  }
  return disagreementOf(claimedMessage, record) ?? impossibleHistoryOf(deadLetter, record);
}

/**
 * Checks whether an exhausted dead letter can have had all its attempts: the record or the broker counts each of them. The
 * worker normally marks the job dead before the last rejection, so the check applies only where the worker died before that.
 */
function impossibleHistoryOf(
  deadLetter: ReceivedDeadLetter,
  record: JobRecord,
): string | undefined {
  const { kind, cause, rejectionCount, claimedMessage } = deadLetter;
  if (cause !== 'exhausted' || kind.backend !== 'tiers') return undefined;
  if (!LIVE_STATES.includes(record.state) || claimedMessage?.generation !== record.generation)
    return undefined;
  const possibleCount = record.attemptCount + rejectionCount;
  const neededCount = kind.tiersMs.length + 1;
  return possibleCount >= neededCount
    ? undefined
    : `forged: exhausted after ${possibleCount} attempts of ${neededCount}`;
}
