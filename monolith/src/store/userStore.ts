/** The users, and their workouts, which only the coach writes. */
import { randomUUID } from 'node:crypto';
import {
  ProfileFields,
  UserId,
  WODS_COLLECTION,
  type Wod,
  type WodDocument,
  wodId,
  wodOf,
} from '@fit/contract';
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';
import Type, { type Static } from 'typebox';

/** A user as a client creates one. `id` is optional: another system may bring its own, else one is made. */
export const NewUser = Type.Object(
  {
    id: Type.Optional(UserId),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    level: ProfileFields.level,
    equipment: ProfileFields.equipment,
    exclusions: Type.Optional(ProfileFields.exclusions),
  },
  { additionalProperties: false },
);
export type NewUser = Static<typeof NewUser>;

export const User = Type.Object({
  id: UserId,
  name: Type.Optional(Type.String()),
  level: ProfileFields.level,
  equipment: ProfileFields.equipment,
  exclusions: Type.Optional(ProfileFields.exclusions),
  createdAt: Type.String(),
});
export type User = Static<typeof User>;

interface UserDocument extends Omit<User, 'id'> {
  readonly _id: string;
}

export class UserStore {
  readonly #users: DocumentCollection<UserDocument>;
  readonly #wods: DocumentCollection<WodDocument>;

  constructor(database: StoreDatabase) {
    this.#users = database.collection<UserDocument>('users');
    this.#wods = database.collection<WodDocument>(WODS_COLLECTION);
  }

  /** @returns the users that were created, and the ids that were taken; users with those ids are left unchanged. */
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

  /** @throws StoreUnavailable, StatementRefused, UnreadableWorkout */
  async findWod(userId: string, date: string): Promise<Wod | undefined> {
    const found = await this.#wods.findOne(wodId(userId, date));
    return found === undefined ? undefined : wodOf(found);
  }

  /** @returns the next users after an id, in the order of their ids. */
  async list(after: string, limit: number): Promise<User[]> {
    const found = await this.#users.find({
      filter: { _id: { $gt: after } },
      sort: { _id: 1 },
      limit,
    });
    return found.map(toUser);
  }

  /**
   * Users in groups, in the order of their ids. One group is in memory at a time, and no cursor stays open while a group
   * is worked on.
   * @param ids undefined: every user. Ids that do not exist are left out.
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
      const group = await this.list(after, size);
      const last = group.at(-1);
      if (last === undefined) return;
      yield group;
      if (group.length < size) return;
      after = last.id;
    }
  }
}

function toUser({ _id, ...rest }: UserDocument): User {
  return { id: _id, ...rest };
}
