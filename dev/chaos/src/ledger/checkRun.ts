/** Checks what a run counts and how its pages divide its members. No I/O, so that tests can show that each fault is found. */
import type { RunStatusReply } from '@fit/client';
import type { BatchRecord } from '@fit/jobs';
import { mismatch } from './mismatch.ts';

/** @returns a sentence if a run counts anything but `jobCount` jobs that it has created itself and that are all done. */
export function wrongCounts(
  { runId, total, expanded, created, skipped, refused, states }: RunStatusReply,
  jobCount: number,
): string[] {
  const actual = { total, expanded, created, skipped, refused, states };
  const expected = {
    total: jobCount,
    expanded: jobCount,
    created: jobCount,
    skipped: 0,
    refused: 0,
    states: { done: jobCount },
  };
  return mismatch(`counts of run ${runId}`, actual, expected);
}

/**
 * @param batches of one run; those that are no pages are left out.
 * @returns a sentence for each way in which the pages do not divide the members of the run without gap and overlap.
 */
export function wrongPages(
  batches: readonly Pick<BatchRecord, 'page' | 'ids' | 'skippedIds'>[],
  jobCount: number,
): string[] {
  const pages = batches.filter(({ page }) => page !== undefined);
  const numbers = pages.map(({ page = -1 }) => page).sort((a, b) => a - b);
  const ids = pages.flatMap((page) => page.ids);
  return [
    ...mismatch(
      'page numbers',
      numbers,
      numbers.map((_, index) => index),
    ),
    ...mismatch('jobs on pages', ids.length, jobCount),
    ...mismatch('different jobs on pages', new Set(ids).size, jobCount),
    ...mismatch('skipped jobs', pages.flatMap(({ skippedIds = [] }) => skippedIds).length, 0),
  ];
}
