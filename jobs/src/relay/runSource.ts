/** The source of a run's jobs. The relay asks for one page at a time, so a run of any size takes little memory. */
import type { NewJob } from '../record/jobRecord.ts';
import type { RunRecord } from '../record/run.ts';

export interface SourcePage {
  /** One job for each user of the page, in the order of the users' ids. All are of one kind. */
  readonly jobs: readonly NewJob[];
  /** Id of the last user of the page; the next page begins behind it. For an empty page the id that the page began behind. */
  readonly last: string;
  /** True: no user follows. */
  readonly isLast: boolean;
}

export interface RunSource {
  /** @returns the kind of the run's jobs. */
  kindOf(run: RunRecord): string;
  /**
   * @param after id of the last user of the page before; empty at first.
   * @param limit users in the page at most.
   * @throws StoreUnavailable; the page is then asked for again.
   */
  page(run: RunRecord, after: string, limit: number): Promise<SourcePage>;
  /** @returns the number of users that the run is for. */
  count(run: RunRecord): Promise<number>;
}
