/** Run records for tests. */
import { NO_ENDS, newRun, type RunRecord } from '@fit/jobs';

/** @returns the record of a run for everyone that was just stored, with the given fields. */
export function runRecord(fields: Partial<RunRecord> = {}): RunRecord {
  const now = fields.createdAt ?? new Date('2026-11-23T05:00:00Z');
  const request = { date: '2026-11-23', isForEveryone: true };
  const run = { _id: 'run-1', request, requestHash: 'h' };
  return { ...newRun(run, { owner: '', now, leaseUntil: now }), ...fields };
}

/** @returns the fields of a run of one page, all of whose jobs are recorded. */
export function expanded(count: number): Partial<RunRecord> {
  return {
    total: count,
    expanded: count,
    created: count,
    recordedPages: 1,
    pageCount: 1,
    nextPage: 1,
  };
}

export function ends(fields: Partial<RunRecord['ends']>): RunRecord['ends'] {
  return { ...NO_ENDS, ...fields };
}
