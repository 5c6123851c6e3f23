/** What published a job again, kept beside its first trace. */
import type { UpdateFilter } from 'mongodb';
import { type JobRecord, TRACELINKS_KEPT } from '../record/jobRecord.ts';

/** @returns the part of an update; empty where nobody traces. */
export function linkTo(traceparent: string | undefined): UpdateFilter<JobRecord> {
  if (traceparent === undefined) return {};
  return { $push: { tracelinks: { $each: [traceparent], $slice: -TRACELINKS_KEPT } } };
}
