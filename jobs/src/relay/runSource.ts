/**
 * The source of a run's jobs. It makes one job of each item of the run; in which sense an item exists is its own matter (a user,
 * a row, a file). The relay asks for one page at a time, so a run of any size takes little memory.
 */
import type { NewJob } from '../record/jobRecord.ts';
import type { RunRecord } from '../record/run.ts';

export interface SourcePage {
  /** One job for each item of the page, in the order of the items. All are of one kind. */
  readonly jobs: readonly NewJob[];
  /** The last item of the page; the next page begins behind it. For an empty page the item that the page began behind. */
  readonly last: string;
  /** True: no item follows. */
  readonly isLast: boolean;
}

export interface RunSource {
  /** @returns the kind of the run's jobs. */
  kindOf(run: RunRecord): string;
  /**
   * Items are ordered as their bytes in UTF-8 are, as the database orders text.
   * @param after the last item of the page before; empty at first.
   * @param limit items in the page at most.
   * @throws StoreUnavailable; the page is then asked for again.
   */
  page(run: RunRecord, after: string, limit: number): Promise<SourcePage>;
  /** @returns the number of items that the run is for. */
  count(run: RunRecord): Promise<number>;
}
