/** What a worker without a database says about an attempt that ended, and what the database's side makes of it. */
import type { AttemptEnd } from '@fit/topology/work';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { describeError } from '../record/describeError.ts';
import type { JobMessage } from '../record/jobMessage.ts';
import type { AttemptRecord } from '../record/jobRecord.ts';
import { TRANSITIONS } from '../record/transitions.ts';
import type { EndCounter } from '../settle/endCounter.ts';
import { TRANSITION_OF } from '../settle/settlement.ts';
import type { Change } from '../store/jobChanges.ts';
import type { JobStores } from '../store/jobStores.ts';
import type { ResultDocument, ResultStore } from '../store/resultStore.ts';
import { JobRefused } from './jobRefused.ts';

const Text = Type.String({ maxLength: 500 });

/** JSON: it may travel over HTTP. */
export const JobReport = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 200 }),
  kind: Type.String({ minLength: 1, maxLength: 100 }),
  generation: Type.Integer({ minimum: 1 }),
  /** State of the job after the attempt. `waiting`: a further attempt follows. */
  state: Type.Enum(['done', 'waiting', 'dead', 'cancelled']),
  attempt: Type.Object({
    /** Counted from 1. */
    number: Type.Integer({ minimum: 1, maximum: 100 }),
    startedAt: Type.String({ maxLength: 30 }),
    endedAt: Type.String({ maxLength: 30 }),
    outcome: Type.Enum(['done', 'retry', 'reject', 'discard']),
    workerId: Text,
    /** The wait that follows, in milliseconds. */
    delayMs: Type.Optional(Type.Number({ minimum: 0 })),
    error: Type.Optional(Type.Object({ class: Text, message: Text, fingerprint: Text })),
    /** Why the job was discarded. */
    reason: Type.Optional(Text),
  }),
  /** Attempts that are spent: more than the attempt's number where waits were skipped. */
  spentCount: Type.Integer({ minimum: 1, maximum: 100 }),
  /** Only of a done job whose kind has a result. */
  result: Type.Optional(Type.Unknown()),
});
export type JobReport = Static<typeof JobReport>;

const check = Compile(JobReport);

export function reportOf(end: AttemptEnd<JobMessage, ResultDocument>, workerId: string): JobReport {
  const { message, outcome, step, attempt } = end;
  return {
    id: message.id,
    kind: message.kind,
    generation: message.generation,
    state: TRANSITIONS[TRANSITION_OF[step.type]].to,
    attempt: {
      number: attempt.number,
      startedAt: end.startedAt.toISOString(),
      endedAt: end.endedAt.toISOString(),
      outcome: outcome.type,
      workerId,
      ...('delayMs' in step ? { delayMs: step.delayMs } : {}),
      ...('error' in outcome ? { error: describeError(outcome.error) } : {}),
      ...(outcome.type === 'discard' ? { reason: outcome.reason } : {}),
    },
    spentCount: step.type === 'skip' ? step.tier : attempt.number,
    ...(outcome.type === 'done' && outcome.effect !== undefined
      ? { result: outcome.effect.result }
      : {}),
  };
}

export interface ReportSinks {
  readonly stores: Pick<JobStores, 'jobs' | 'runs'>;
  readonly results: ResultStore;
  readonly endCounter: EndCounter;
}

/**
 * Writes what a worker reported: the result first, then the record, as a worker with a database does. Every write is guarded,
 * so a report that comes twice, or after a later one, changes nothing.
 * @throws JobRefused `REPORT_INVALID`; StoreUnavailable, StatementRefused: nothing is lost if the worker reports again.
 */
export async function recordReport(given: unknown, sinks: ReportSinks): Promise<void> {
  if (!check.Check(given)) {
    const [fault] = check.Errors(given);
    throw new JobRefused('REPORT_INVALID', `${fault?.instancePath ?? ''}: ${fault?.message ?? ''}`);
  }
  const report: JobReport = given;
  const { stores, results } = sinks;
  const { id, generation, spentCount } = report;
  const attempt = attemptRecordOf(report);
  const change: Change = { id, generation, attempt, spentCount };
  if (report.state === 'done') {
    if ('result' in report) await results.storeAll([{ _id: id, result: report.result }]);
    await finish(change, sinks);
    return;
  }
  if (report.state === 'dead') {
    // An earlier attempt may have stored the result and ended before it could report.
    if ((await results.findStored([id])).has(id)) {
      await finish(change, sinks);
      return;
    }
    const cause = report.attempt.outcome === 'reject' ? ('fatal' as const) : ('exhausted' as const);
    const { error, endedAt } = attempt;
    const death = {
      cause,
      fingerprint: error?.fingerprint ?? cause,
      reason: error?.message ?? cause,
      at: endedAt,
    };
    const changed = await stores.jobs.change('markDead', [{ ...change, death }]);
    await count(id, changed, { end: 'dead', cause }, sinks);
    return;
  }
  const transition = report.state === 'waiting' ? 'wait' : 'cancel';
  const changed = await stores.jobs.change(transition, [change]);
  if (transition === 'cancel') await count(id, changed, { end: 'cancelled' }, sinks);
}

async function finish(change: Change, sinks: ReportSinks): Promise<void> {
  const { finished, revived } = await sinks.stores.jobs.finishEach([change]);
  await count(change.id, finished + revived, { end: 'done', revivedCount: revived }, sinks);
}

/** The report does not name the run of the job, because a message whose signature is not checked proves none. */
async function count(
  id: string,
  changedCount: number,
  end: Pick<Parameters<EndCounter['add']>[0], 'end' | 'cause' | 'revivedCount'>,
  { stores, endCounter }: ReportSinks,
): Promise<void> {
  if (changedCount === 0) return;
  const record = await stores.jobs.find(id);
  if (record !== null) endCounter.add({ ...end, runIds: [record.runId], changedCount });
}

function attemptRecordOf({ generation, attempt }: JobReport): AttemptRecord {
  const { number, outcome, workerId, delayMs, error, reason } = attempt;
  return {
    number,
    generation,
    startedAt: new Date(attempt.startedAt),
    endedAt: new Date(attempt.endedAt),
    outcome,
    workerId,
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(error === undefined ? {} : { error }),
    ...(reason === undefined ? {} : { reason }),
  };
}
