/** Run records for tests. */
import type { RunRecord } from '@fit/jobs';

const NO_ENDS = { done: 0, dead: 0, cancelled: 0, causes: {} };

/** @returns the record of a run for everyone that was just stored, with the given fields. */
export function runRecord(fields: Partial<RunRecord> = {}): RunRecord {
  const createdAt = fields.createdAt ?? new Date('2026-11-23T05:00:00Z');
  return {
    _id: 'run-1',
    request: { date: '2026-11-23', isForEveryone: true },
    requestHash: 'h',
    createdAt,
    cursor: '',
    nextPage: 0,
    recordedPages: 0,
    expanded: 0,
    created: 0,
    skipped: 0,
    refused: 0,
    ends: NO_ENDS,
    skippedEnds: NO_ENDS,
    progressAt: createdAt,
    isActive: true,
    owner: '',
    leaseUntil: createdAt,
    fence: 1,
    ...fields,
  };
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
