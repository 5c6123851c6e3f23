/** What a worker without a database says about an attempt that ended, and what the database's side makes of it. */
import type { SettledAttempt } from '@fit/topology';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { describeError } from '../record/describeError.ts';
import type { JobMessage } from '../record/jobMessage.ts';
import { type AttemptRecord, type JobRecord, keyOf } from '../record/jobRecord.ts';
import { TRANSITIONS } from '../record/transitions.ts';
import type { EndCounter, EndedJobs } from '../settle/endCounter.ts';
import { transitionOf } from '../settle/settlement.ts';
import type { Change } from '../store/jobChanges.ts';
import type { JobStores } from '../store/jobStores.ts';
import type { ResultDocument, ResultStore } from '../store/resultStore.ts';
import { StatementRefused } from '../store/statement.ts';
import type { JobKinds } from './jobKinds.ts';
import { JobRefused } from './jobRefused.ts';

const TEXT_LIMIT_CHARS = 500;
const Text = Type.String({ maxLength: TEXT_LIMIT_CHARS });

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

export function reportOf(
  end: SettledAttempt<ResultDocument, JobMessage>,
  workerId: string,
): JobReport {
  const { outcome, attempt, waitMs } = end;
  const { body: job } = end.message;
  return {
    id: job.id,
    kind: job.kind,
    generation: job.generation,
    state: TRANSITIONS[transitionOf(end)].to,
    attempt: {
      number: attempt.number,
      startedAt: end.startedAt.toISOString(),
      endedAt: end.endedAt.toISOString(),
      outcome: outcome.type,
      workerId,
      ...(waitMs === undefined ? {} : { delayMs: waitMs }),
      ...('error' in outcome ? { error: describeError(outcome.error) } : {}),
      ...(outcome.type === 'discard' ? { reason: shortened(outcome.reason) } : {}),
    },
    spentCount: end.spent,
    ...(outcome.type === 'done' && outcome.effect !== undefined
      ? { result: outcome.effect.result }
      : {}),
  };
}

/** The handler chose the text, and a report that is refused for its length would come again for ever. */
function shortened(reason: string): string {
  return reason.slice(0, TEXT_LIMIT_CHARS);
}

export interface ReportSinks {
  readonly stores: Pick<JobStores, 'jobs' | 'runs'>;
  readonly results: ResultStore;
  readonly endCounter: EndCounter;
}

/**
 * Writes what a worker reported: the result first, then the record, as a worker with a database does. Every write is guarded,
 * so a report that comes twice, or after a later one, changes nothing; the same is true where the job is deleted already. A
 * result that the database refuses makes the job dead, because a further attempt would make it again.
 * @param kinds the kinds with their results.
 * @throws JobRefused `REPORT_INVALID`; StoreUnavailable, StatementRefused: nothing is lost if the worker reports again.
 */
export async function recordReport(
  given: unknown,
  sinks: ReportSinks,
  kinds: JobKinds,
): Promise<void> {
  const report = readReport(given);
  const record = await sinks.stores.jobs.find(report.id);
  if (record === null) return;
  const fault = disagreementOf(report, record, kinds);
  if (fault !== undefined)
    throw new JobRefused('REPORT_INVALID', `/${fault.field}: ${fault.reason}`, {
      kind: record.kind,
      key: keyOf(record._id),
      field: fault.field,
    });
  try {
    await write(report, record, sinks);
  } catch (error) {
    if (!(error instanceof StatementRefused) || !('result' in report)) throw error;
    await write(refusedReport(report, error), record, sinks);
  }
}

/** @throws JobRefused `REPORT_INVALID` */
function readReport(given: unknown): JobReport {
  if (!check.Check(given)) {
    const [fault] = check.Errors(given);
    const path = fault?.instancePath ?? '';
    throw new JobRefused(
      'REPORT_INVALID',
      `${path}: ${fault?.message ?? ''}`,
      path === '' ? {} : { field: path.slice(1).replaceAll('/', '.') },
    );
  }
  for (const name of ['startedAt', 'endedAt'] as const)
    if (Number.isNaN(Date.parse(given.attempt[name])))
      throw new JobRefused('REPORT_INVALID', `/attempt/${name}: no date`, {
        field: `attempt.${name}`,
      });
  return given;
}

/**
 * The result is not checked by its schema again: the worker did that, and what a schema makes, such as a Date, need not pass it
 * a second time as JSON.
 * @returns what differs from the job.
 */
function disagreementOf(
  report: JobReport,
  record: Pick<JobRecord, 'kind' | 'generation'>,
  kinds: JobKinds,
): { readonly field: string; readonly reason: string } | undefined {
  if (report.kind !== record.kind) return { field: 'kind', reason: 'not that of the job' };
  if (report.generation > record.generation)
    return { field: 'generation', reason: `the job has only ${record.generation}` };
  const isWanted = report.state === 'done' && kinds[record.kind]?.result !== undefined;
  if ('result' in report && !isWanted) return { field: 'result', reason: 'the job has none' };
  return undefined;
}

function refusedReport({ result: _, ...report }: JobReport, error: Error): JobReport {
  const attempt = { ...report.attempt, outcome: 'reject' as const, error: describeError(error) };
  return { ...report, state: 'dead', attempt };
}

async function write(report: JobReport, record: JobRecord, sinks: ReportSinks): Promise<void> {
  const { stores, results, endCounter } = sinks;
  const { id, generation, spentCount } = report;
  const attempt = attemptRecordOf(report);
  const change: Change = { id, generation, attempt, spentCount };
  // The report does not name the run of the job, because a message whose signature is not checked proves none.
  const count = (
    changedCount: number,
    end: Pick<EndedJobs, 'end' | 'cause' | 'revivedCount'>,
  ): void => {
    endCounter.add({ ...end, runIds: [record.runId], changedCount });
  };
  const finish = async () => {
    const { finished, revived } = await stores.jobs.finishEach([change]);
    count(finished + revived, { end: 'done', revivedCount: revived });
  };
  if (report.state === 'done') {
    if ('result' in report) await results.storeAll([{ _id: id, result: report.result }]);
    await finish();
    return;
  }
  if (report.state === 'dead') {
    // An earlier attempt may have stored the result and ended before it could report.
    if ((await results.findStored([id])).has(id)) {
      await finish();
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
    count(await stores.jobs.change('markDead', [{ ...change, death }]), { end: 'dead', cause });
    return;
  }
  const transition = report.state === 'waiting' ? 'wait' : 'cancel';
  const changedCount = await stores.jobs.change(transition, [change]);
  if (transition === 'cancel') count(changedCount, { end: 'cancelled' });
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
