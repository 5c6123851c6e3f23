/** The users collection. */
import { randomUUID } from 'node:crypto';
import { duplicateIndexes } from '@fit/jobs/store';
import type { Collection, Db, Filter } from 'mongodb';
import type { NewUser, User } from './user.ts';

interface UserDocument extends Omit<User, 'id'> {
  readonly _id: string;
}

export class UserStore {
  readonly #users: Collection<UserDocument>;

  constructor(database: Db) {
    this.#users = database.collection<UserDocument>('users');
  }

  /**
   * @returns the users as stored, and the ids that were taken already: those are left as they are.
   */
  async create(
    users: readonly NewUser[],
    now: Date,
  ): Promise<{ created: User[]; takenIds: string[] }> {
    const documents = users.map(({ id, ...profile }) => ({
      _id: id ?? randomUUID(),
      ...profile,
      createdAt: now.toISOString(),
    }));
    const taken = new Set<number>();
    try {
      await this.#users.insertMany(documents, { ordered: false });
    } catch (error) {
      for (const index of duplicateIndexes(error)) taken.add(index);
    }
    return {
      created: documents.filter((_, index) => !taken.has(index)).map(toUser),
      takenIds: documents.filter((_, index) => taken.has(index)).map(({ _id }) => _id),
    };
  }

  async find(id: string): Promise<User | undefined> {
    const found = await this.#users.findOne({ _id: id });
    return found === null ? undefined : toUser(found);
  }

  /** Keyset page by id. */
  async list(after: string, limit: number): Promise<User[]> {
    const found = await this.#users
      .find({ _id: { $gt: after } })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray();
    return found.map(toUser);
  }

  /**
   * Streams users in groups, so that memory stays flat however many there are.
   * @param ids undefined: everyone.
   */
  async *groups(ids: readonly string[] | undefined, size: number): AsyncGenerator<User[]> {
    const wanted: Filter<UserDocument> = ids === undefined ? {} : { _id: { $in: [...ids] } };
    let group: User[] = [];
    for await (const document of this.#users.find(wanted).batchSize(size)) {
      group.push(toUser(document));
      if (group.length < size) continue;
      yield group;
      group = [];
    }
    if (group.length > 0) yield group;
  }
}

function toUser({ _id, ...rest }: UserDocument): User {
  return { id: _id, ...rest };
}
