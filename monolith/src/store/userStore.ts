/** The users collection. */
import { randomUUID } from 'node:crypto';
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';
import type { NewUser, User } from './user.ts';

interface UserDocument extends Omit<User, 'id'> {
  readonly _id: string;
}

export class UserStore {
  readonly #users: DocumentCollection<UserDocument>;

  constructor(database: StoreDatabase) {
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
    const takenIds = await this.#users.insertNew(documents);
    return {
      created: documents.filter(({ _id }) => !takenIds.has(_id)).map(toUser),
      takenIds: [...takenIds],
    };
  }

  async find(id: string): Promise<User | undefined> {
    const found = await this.#users.findOne(id);
    return found === undefined ? undefined : toUser(found);
  }

  /** Keyset page by id. */
  async list(after: string, limit: number): Promise<User[]> {
    return (await this.#page(after, limit)).map(toUser);
  }

  /**
   * Users in groups, in the order of their ids: memory stays flat however many there are, and no cursor stays open while
   * a group is worked on.
   * @param ids undefined: everyone.
   */
  async *groups(ids: readonly string[] | undefined, size: number): AsyncGenerator<User[]> {
    if (ids !== undefined) {
      const sorted = [...new Set(ids)].sort();
      for (let from = 0; from < sorted.length; from += size) {
        const group = await this.#users.findByIds(sorted.slice(from, from + size));
        if (group.length > 0) yield group.map(toUser);
      }
      return;
    }
    for (let after = ''; ; ) {
      const group = await this.#page(after, size);
      const last = group.at(-1);
      if (last === undefined) return;
      yield group.map(toUser);
      if (group.length < size) return;
      after = last._id;
    }
  }

  async #page(after: string, limit: number): Promise<UserDocument[]> {
    return await this.#users.find({ filter: { _id: { $gt: after } }, sort: { _id: 1 }, limit });
  }
}

function toUser({ _id, ...rest }: UserDocument): User {
  return { id: _id, ...rest };
}
