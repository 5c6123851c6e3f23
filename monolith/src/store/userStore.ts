/** The users, and their workouts, which only the coach writes. */
import { randomUUID } from 'node:crypto';
import {
  findStoredWods,
  type Performance,
  PersonFields,
  ProfileFields,
  UserId,
  WODS_COLLECTION,
  type Wod,
  type WodDocument,
  type WodJob,
  wodId,
  wodOf,
} from '@fit/contract';
import type { DocumentCollection, StoreDatabase } from '@fit/jobs/store';
import type { ErasureStore } from '@fit/service';
import Type, { type Static, type TSchema } from 'typebox';
import { newPseudonym } from '../audit/pseudonym.ts';

/**
 * A user as a client creates one. `id` is optional: another system may bring its own, else one is made. Without level and equipment
 * the user is a beginner without equipment.
 */
export const NewUser = Type.Object(
  {
    id: Type.Optional(UserId),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    level: Type.Optional(ProfileFields.level),
    equipment: Type.Optional(ProfileFields.equipment),
    exclusions: Type.Optional(ProfileFields.exclusions),
    goal: Type.Optional(PersonFields.goal),
    injuries: Type.Optional(PersonFields.injuries),
    weightKg: Type.Optional(PersonFields.weightKg),
    sex: Type.Optional(PersonFields.sex),
  },
  {
    additionalProperties: false,
    title: 'NewUser',
    examples: [{ id: 'ann', level: 'beginner', equipment: ['dumbbell'] }],
  },
);
export type NewUser = Static<typeof NewUser>;

export const User = Type.Object(
  {
    id: UserId,
    name: Type.Optional(Type.String()),
    level: ProfileFields.level,
    equipment: ProfileFields.equipment,
    exclusions: Type.Optional(ProfileFields.exclusions),
    goal: Type.Optional(PersonFields.goal),
    injuries: Type.Optional(PersonFields.injuries),
    weightKg: Type.Optional(PersonFields.weightKg),
    sex: Type.Optional(PersonFields.sex),
    createdAt: Type.String(),
  },
  { title: 'User' },
);
export type User = Static<typeof User>;

/** What of a user may be changed; null removes a field that may be absent. */
export const UserChanges = Type.Object(
  {
    name: Type.Optional(orNull(Type.String({ minLength: 1, maxLength: 100 }))),
    level: Type.Optional(ProfileFields.level),
    equipment: Type.Optional(ProfileFields.equipment),
    exclusions: Type.Optional(orNull(ProfileFields.exclusions)),
    goal: Type.Optional(orNull(PersonFields.goal)),
    injuries: Type.Optional(orNull(PersonFields.injuries)),
    weightKg: Type.Optional(orNull(PersonFields.weightKg)),
    sex: Type.Optional(orNull(PersonFields.sex)),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    title: 'UserChanges',
    examples: [{ level: 'intermediate', injuries: ['knee'] }],
  },
);
export type UserChanges = Static<typeof UserChanges>;

function orNull<Schema extends TSchema>(schema: Schema) {
  return Type.Union([schema, Type.Null()]);
}

interface UserDocument extends Omit<User, 'id'> {
  readonly _id: string;
  /** Names the user in the audit, once an entry does; nothing but this field leads from it to the user. */
  readonly pseudonym?: string;
}

export class UserStore {
  readonly #users: DocumentCollection<UserDocument>;
  readonly #wods: DocumentCollection<WodDocument>;

  readonly #erasures: Pick<ErasureStore, 'erasedAmong'> | undefined;

  /** @param erasures the deletions of users, whose ids cannot be used again for a while; default: none. */
  constructor(database: StoreDatabase, erasures?: Pick<ErasureStore, 'erasedAmong'>) {
    this.#erasures = erasures;
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
      level: 'beginner' as const,
      equipment: [],
      ...profile,
      createdAt: now.toISOString(),
    }));
    // A job of the former user that is still under way must not make a workout for a new one.
    const erasedIds = await this.#erasures?.erasedAmong(users.flatMap(({ id }) => id ?? []));
    const takenIds = await this.#users.insertNew(
      documents.filter(({ _id }) => erasedIds?.has(_id) !== true),
    );
    for (const id of erasedIds ?? []) takenIds.add(id);
    return {
      created: documents.filter(({ _id }) => !takenIds.has(_id)).map(toUser),
      takenIds: [...takenIds],
    };
  }

  /** Users whom an entry of the audit names are few among all. */
  async ensureIndexes(): Promise<void> {
    await this.#users.ensureIndex(
      { pseudonym: 1 },
      { partialFilterExpression: { pseudonym: { $exists: true } } },
    );
  }

  /** @returns the name of the user in the audit, which is made if there is none; undefined if there is no such user. */
  async pseudonymOf(id: string): Promise<string | undefined> {
    const found = await this.#users.findOneAndUpdate(id, {}, [
      { $set: { pseudonym: { $ifNull: ['$pseudonym', newPseudonym()] } } },
    ]);
    return found?.pseudonym;
  }

  /** @returns the ids of the users whom these pseudonyms name, by pseudonym. */
  async findByPseudonyms(pseudonyms: readonly string[]): Promise<Map<string, string>> {
    if (pseudonyms.length === 0) return new Map();
    const found = await this.#users.find({
      filter: { pseudonym: { $in: [...pseudonyms], $exists: true } },
      limit: pseudonyms.length,
      fields: ['pseudonym'],
    });
    return new Map(found.map(({ _id, pseudonym = '' }) => [pseudonym, _id]));
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

  /** @returns the ids of the jobs whose workout is stored. */
  async findStoredWods(jobs: readonly WodJob[]): Promise<ReadonlySet<string>> {
    return await findStoredWods(this.#wods, jobs);
  }

  /** @returns how many of these workouts existed. */
  async deleteWods(ids: readonly string[]): Promise<number> {
    return await this.#wods.deleteMany(ids);
  }

  /** @returns the changed user; undefined if there is none. */
  async change(id: string, changes: UserChanges): Promise<User | undefined> {
    const entries = Object.entries(changes);
    const [set, removed] = [
      entries.filter(([, value]) => value !== null),
      entries.filter(([, value]) => value === null).map(([name]) => [name, ''] as const),
    ];
    const changed = await this.#users.findOneAndUpdate(
      id,
      {},
      {
        ...(set.length === 0 ? {} : { $set: Object.fromEntries(set) }),
        ...(removed.length === 0 ? {} : { $unset: Object.fromEntries(removed) }),
      },
    );
    return changed === undefined ? undefined : toUser(changed);
  }

  /** @returns the stored workouts of a user from a day to another one, both included, in the order of their days. */
  async wodsBetween(
    userId: string,
    { from, to, limit }: { readonly from: string; readonly to: string; readonly limit: number },
  ): Promise<WodDocument[]> {
    return await this.#wods.find({
      filter: { _id: { $gte: wodId(userId, from), $lte: wodId(userId, to) } },
      sort: { _id: 1 },
      limit,
    });
  }

  /** Stores what the user did; a later result replaces it. @returns undefined if there is no such workout. */
  async perform(id: string, performed: Performance): Promise<WodDocument | undefined> {
    return await this.#wods.findOneAndUpdate(id, {}, { $set: { performed } });
  }

  async delete(id: string): Promise<void> {
    await this.#users.deleteMany([id]);
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

  /** @returns the users among these ids that exist, in the order of their ids. */
  async findAll(ids: readonly string[]): Promise<User[]> {
    return (await this.#users.findByIds(ids)).map(toUser);
  }

  /** @returns the number of users. Every user is counted, so it takes about half a second for a million. */
  async count(): Promise<number> {
    return await this.#users.count({});
  }
}

function toUser({ _id, pseudonym: _pseudonym, ...rest }: UserDocument): User {
  return { id: _id, ...rest };
}
