/** Reads the ids of a run's pages in their order, a few at a time. */
import type { JobStores } from '../store/jobStores.ts';

/** Pages of a run that are in memory at a time; each has up to 1,000 ids. */
const PAGES_AT_A_TIME = 4;
/** Ids of pages that are read at a time. */
const PAGE_IDS_LIMIT = 2_000;

export class PageCursor {
  readonly #stores: Pick<JobStores, 'batches'>;
  readonly #runId: string;
  #ids: string[] = [];
  /** Id after which the next ids are read; undefined at first. */
  #after: string | undefined;
  #isEnd = false;

  constructor(stores: Pick<JobStores, 'batches'>, runId: string) {
    this.#stores = stores;
    this.#runId = runId;
  }

  /** @returns up to `PAGES_AT_A_TIME` further ids that `isWanted` accepts; empty at the end. */
  async next(isWanted: (id: string) => boolean = () => true): Promise<string[]> {
    const wanted: string[] = [];
    while (wanted.length < PAGES_AT_A_TIME) {
      const id = this.#ids.shift();
      if (id !== undefined) {
        if (isWanted(id)) wanted.push(id);
        continue;
      }
      if (this.#isEnd) break;
      this.#ids = await this.#stores.batches.pageIds(this.#runId, this.#after, PAGE_IDS_LIMIT);
      this.#isEnd = this.#ids.length < PAGE_IDS_LIMIT;
      this.#after = this.#ids.at(-1);
    }
    return wanted;
  }
}
