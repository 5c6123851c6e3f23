/** The audit: one entry for each request that changes something. Entries are added and completed once; nothing else changes them. */
import type { DocumentCollection, Filter, StoreDatabase } from '@fit/jobs/store';
import type { Role } from '@fit/service';

export interface AuditEntry {
  /** The time in milliseconds as 12 hexadecimal digits, and 8 random ones: the order of ids is the order of times. */
  readonly _id: string;
  /** The database's time. */
  readonly at: Date;
  readonly action: string;
  /** Pseudonym of the account that sent the request. */
  readonly account: string;
  readonly role: Role;
  /** Names to values; users and accounts under their pseudonyms. */
  readonly target: Readonly<Record<string, string | number | boolean>>;
  readonly reason?: string;
  readonly requestId: string;
  /**
   * `begun`: the process ended before the request, or the database did not answer at its end, so the change may have happened.
   * `refused`: nothing was changed. `failed`: the service could not carry it out, or not whole.
   */
  readonly outcome: 'begun' | 'done' | 'refused' | 'failed';
  /** Of the answer. */
  readonly status?: number;
  /** Code of the problem that was answered. */
  readonly code?: string;
}

export type AuditEnd = Pick<AuditEntry, 'outcome' | 'status' | 'code'> &
  Partial<Pick<AuditEntry, 'target'>>;

export interface AuditQuery {
  readonly account?: string | undefined;
  readonly action?: string | undefined;
  /** Name and value of the target. */
  readonly target?: readonly [name: string, value: string] | undefined;
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly to?: Date | undefined;
  /** Id of the last entry that was read before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Where the next page goes on; undefined where no older entry can follow. */
  readonly next?: string;
}

/** Entries are kept for two years. */
const KEPT_SECONDS = 2 * 365 * 86_400;
/** Entries that one request reads at most, where few of them match its filter. */
const READ_LIMIT = 20_000;
const AFTER_ALL = 'g';

export class AuditStore {
  readonly #entries: DocumentCollection<AuditEntry>;

  constructor(database: StoreDatabase) {
    this.#entries = database.collection<AuditEntry>('audit');
  }

  async ensureIndexes(): Promise<void> {
    await this.#entries.ensureIndex({ at: 1 }, { expireAfterSeconds: KEPT_SECONDS });
  }

  /** @throws StoreUnavailable */
  async insert(entry: AuditEntry): Promise<void> {
    await this.#entries.insertNew([entry]);
  }

  /** Completes an entry that is begun, once. @throws StoreUnavailable */
  async complete(id: string, end: AuditEnd): Promise<void> {
    await this.#entries.updateOne(id, { $set: end }, { outcome: 'begun' });
  }

  /**
   * Reads in the order of `_id`, the newest first, because no index gives an order. With a filter it reads a bounded number of entries, so
   * a page may have fewer than `limit`, and even none, and still a next one.
   */
  async list({
    account,
    action,
    target,
    from,
    to,
    after,
    limit,
    readLimit = READ_LIMIT,
  }: AuditQuery & { readonly readLimit?: number }): Promise<AuditPage> {
    const before = [after ?? AFTER_ALL, to === undefined ? AFTER_ALL : idAt(to)].sort()[0] ?? '';
    const range = (start: string) => ({ $gte: start, $lt: before });
    const sort = { _id: -1 as const };
    const start = from === undefined ? '' : idAt(from);
    const filter: Filter<AuditEntry> = {
      ...(account === undefined ? {} : { account }),
      ...(action === undefined ? {} : { action }),
      ...(target === undefined ? {} : { [`target.${target[0]}`]: { $in: valuesOf(target[1]) } }),
    };
    const isFiltered = Object.keys(filter).length > 0;
    const [end] = isFiltered
      ? await this.#entries.find({
          filter: { _id: range(start) },
          sort,
          skip: readLimit,
          limit: 1,
          fields: ['_id'],
        })
      : [];
    const entries = await this.#entries.find({
      filter: { ...filter, _id: range(end?._id ?? start) },
      sort,
      limit,
    });
    const next = entries.length === limit ? entries.at(-1)?._id : end?._id;
    return { entries, ...(next === undefined ? {} : { next }) };
  }
}

/** A filter is text, so a number or a truth value of the target is looked for as well. */
function valuesOf(text: string): (string | number | boolean)[] {
  if (text === 'true' || text === 'false') return [text, text === 'true'];
  return String(Number(text)) === text ? [text, Number(text)] : [text];
}

/** @returns what the ids of entries at this time begin with. */
export function idAt(time: Date): string {
  return time.getTime().toString(16).padStart(12, '0');
}
