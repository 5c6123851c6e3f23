/** Users: create one or many, list them, read one, read the workout of one. */
import { createHash } from 'node:crypto';
import {
  DateText,
  dayIn,
  PerformedResult,
  UserId,
  Wod,
  type WodDocument,
  wodId,
  wodOf,
} from '@fit/contract';
import { jobId } from '@fit/jobs';
import { type BatchStore, type JobStore, showJobs } from '@fit/jobs/store';
import { ADMINS, defineRoute, Problem, type ProblemKind, READERS, type Route } from '@fit/service';
import Type, { type Static } from 'typebox';
import { NewUser, User, UserChanges, type UserStore } from '../store/userStore.ts';
import { limitOf, listQuery, nextOf } from './keysetList.ts';

export interface UserRouteParts {
  readonly users: UserStore;
  readonly jobs: Pick<JobStore, 'find'>;
  readonly batches: Pick<BatchStore, 'findStates'>;
  /** The time zone whose today is meant if a request names no date. */
  readonly timezone: string;
}

const Many = Type.Object(
  { users: Type.Array(NewUser, { minItems: 1, maxItems: 500 }) },
  { additionalProperties: false },
);

const USER_EXISTS = {
  status: 409,
  code: 'user_exists',
  when: 'the id is taken',
  remedy: 'Send another id, or none.',
} as const satisfies ProblemKind;

export const USER_NOT_FOUND = {
  status: 404,
  code: 'user_not_found',
  when: 'no user has this id',
  remedy: 'GET /users lists the users.',
} as const satisfies ProblemKind;

const WORKOUT_NOT_FOUND = {
  status: 404,
  code: 'workout_not_found',
  when: 'the caller has no workout of this id',
  remedy: 'GET /users/{id}/wods lists the workouts of a user.',
} as const satisfies ProblemKind;

const ListedWod = Type.Object(
  {
    /** For `POST /workouts/{workoutId}/perform`. */
    id: Type.String(),
    wod: Wod,
    performed: Type.Optional(Type.Object({ result: PerformedResult, at: Type.String() })),
  },
  { title: 'ListedWod' },
);

function listedWod(document: WodDocument): Static<typeof ListedWod> {
  const { _id, performed } = document;
  return {
    id: _id,
    wod: wodOf(document),
    ...(performed === undefined
      ? {}
      : { performed: { result: performed.result, at: performed.at.toISOString() } }),
  };
}

const WOD_NOT_REQUESTED = {
  status: 404,
  code: 'wod_not_requested',
  when: 'no run has made a job for this user and day',
  remedy: 'POST /generateWods with the user in userIds requests one.',
} as const satisfies ProblemKind;

const WOD_NOT_READY = {
  status: 404,
  code: 'wod_not_ready',
  when: 'the workout is being made; jobId and jobState say by which job',
  remedy: 'Ask again later; GET /jobs/{jobId} shows the job.',
} as const satisfies ProblemKind;

export function userRoutes({ users, jobs, batches, timezone }: UserRouteParts): Route[] {
  return [
    defineRoute({
      method: 'post',
      paths: ['/users'],
      access: ADMINS,
      summary: 'Create a user',
      tag: 'Users',
      body: NewUser,
      idempotencyKey: 'kept',
      reply: User,
      statuses: [201],
      problems: [USER_EXISTS],
      audit: { action: 'user.create', target: (_request, reply) => ({ user: reply?.id }) },
      handle: async ({ body, keyHash }) => {
        const [wanted = body] = withIds([body], keyHash);
        const { created } = await users.create([wanted], new Date());
        const isOwn = body.id === undefined && wanted.id !== undefined;
        // An id that comes from the key can only be taken by an earlier try of the same request.
        const user = created[0] ?? (isOwn ? await users.find(wanted.id ?? '') : undefined);
        if (user !== undefined) return { body: user };
        throw new Problem({
          ...USER_EXISTS,
          title: `There is a user ${body.id ?? ''} already`,
        });
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/users/batch'],
      access: ADMINS,
      summary: 'Create up to 500 users',
      description: 'Users whose id is taken are left unchanged and named in `takenIds`.',
      tag: 'Users',
      statuses: [201],
      body: Many,
      idempotencyKey: 'kept',
      reply: Type.Object({ created: Type.Integer(), takenIds: Type.Array(UserId) }),
      audit: {
        action: 'user.createMany',
        target: ({ body }, reply) => ({
          userCount: body.users.length,
          createdCount: reply?.created,
        }),
      },
      handle: async ({ body, keyHash }) => {
        const { created, takenIds } = await users.create(withIds(body.users, keyHash), new Date());
        // What an earlier try of the same request has created counts as created by it.
        const sentIds = new Set(body.users.map(({ id }) => id));
        const foreignIds = takenIds.filter((id) => sentIds.has(id));
        return {
          body: {
            created: created.length + takenIds.length - foreignIds.length,
            takenIds: foreignIds,
          },
        };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/users'],
      access: READERS,
      summary: 'List the users',
      description: 'In the order of their ids.',
      tag: 'Users',
      query: Type.Object(listQuery(UserId), { additionalProperties: false }),
      reply: Type.Object({ users: Type.Array(User), next: Type.Optional(UserId) }),
      handle: async ({ query }) => {
        const limit = limitOf(query);
        const found = await users.list(query.after ?? '', limit);
        const ids = found.map(({ id }) => id);
        return { body: { users: found, ...nextOf(ids, limit) } };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/users/:id'],
      access: [...READERS, 'self'],
      summary: 'Read a user',
      tag: 'Users',
      problems: [USER_NOT_FOUND],
      params: Type.Object({ id: UserId }),
      reply: User,
      handle: async ({ params }) => {
        const user = await users.find(params.id);
        if (user !== undefined) return { body: user };
        throw new Problem({
          ...USER_NOT_FOUND,
          title: `There is no user ${params.id}`,
        });
      },
    }),
    defineRoute({
      method: 'patch',
      paths: ['/users/:id'],
      access: [...ADMINS, 'self'],
      summary: 'Change the profile of a user',
      description:
        'Fields that are left out stay as they are; null removes one. Workouts that are requested from now on follow it; an injury excludes what burdens it.',
      tag: 'Users',
      params: Type.Object({ id: UserId }),
      body: UserChanges,
      reply: User,
      problems: [USER_NOT_FOUND],
      audit: {
        action: 'user.change',
        target: ({ params, body }) => ({
          user: params.id,
          fields: Object.keys(body).sort().join(', '),
        }),
      },
      handle: async ({ params, body }) => {
        const changed = await users.change(params.id, body);
        if (changed !== undefined) return { body: changed };
        throw new Problem({
          ...USER_NOT_FOUND,
          title: `There is no user ${params.id}`,
        });
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/users/:id/wods'],
      access: [...READERS, 'self'],
      summary: "List a user's workouts, by day",
      description: 'From and to are both included; without them the first 100 days.',
      tag: 'Workouts',
      params: Type.Object({ id: UserId }),
      query: Type.Object(
        {
          from: Type.Optional(DateText),
          to: Type.Optional(DateText),
          ...listQuery(DateText),
        },
        { additionalProperties: false },
      ),
      reply: Type.Object({ wods: Type.Array(ListedWod), next: Type.Optional(DateText) }),
      handle: async ({ params, query }) => {
        const limit = limitOf(query);
        const { from = '0000-01-01', to = '9999-12-31', after } = query;
        const found = await users.wodsBetween(params.id, {
          // The day after is the first one whose text is greater.
          from: after === undefined || after < from ? from : `${after}~`,
          to,
          limit,
        });
        const wods = found.map(listedWod);
        const dates = wods.map(({ wod }) => wod.date);
        return { body: { wods, ...nextOf(dates, limit) } };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/workouts/:workoutId/perform'],
      access: ['own'],
      summary: 'Store what you did of a workout',
      description:
        'The id is the user and the day, such as `ann:2026-12-01`. A later result replaces an earlier one.',
      tag: 'Workouts',
      params: Type.Object({ workoutId: Type.String({ minLength: 1, maxLength: 80 }) }),
      body: Type.Object({ result: PerformedResult }, { additionalProperties: false }),
      reply: ListedWod,
      problems: [WORKOUT_NOT_FOUND],
      audit: { none: 'Members change their own results, and the workout says when.' },
      handle: async ({ params: { workoutId }, body: { result }, caller }) => {
        const isOwn = caller?.userId !== undefined && workoutId.startsWith(`${caller.userId}:`);
        const found = isOwn
          ? await users.perform(workoutId, { result, at: new Date() })
          : undefined;
        if (found !== undefined) return { body: listedWod(found) };
        throw new Problem({ ...WORKOUT_NOT_FOUND, title: `You have no workout ${workoutId}` });
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/users/:id/wod'],
      access: [...READERS, 'self'],
      summary: "Read a user's workout of a day",
      description: 'Without a date: today, in CRON_TIMEZONE.',
      tag: 'Workouts',
      problems: [WOD_NOT_REQUESTED, WOD_NOT_READY],
      params: Type.Object({ id: UserId }),
      query: Type.Object({ date: Type.Optional(DateText) }, { additionalProperties: false }),
      reply: Wod,
      handle: async ({ params, query }) => {
        const date = query.date ?? dayIn(timezone, new Date());
        const wod = await users.findWod(params.id, date);
        if (wod !== undefined) return { body: wod };
        const job = await jobs.find(jobId('createWod', wodId(params.id, date)));
        const [shown] = job === null ? [] : await showJobs(batches, [job]);
        throw new Problem({
          ...(shown === undefined ? WOD_NOT_REQUESTED : WOD_NOT_READY),
          title: `No workout is stored for ${params.id} on ${date}`,
          members: shown === undefined ? {} : { jobId: shown.job._id, jobState: shown.state },
        });
      },
    }),
  ];
}

/**
 * Gives users without an id one that comes from the request and its Idempotency-Key. Where the process ends after it has stored them and
 * before it has kept its reply, a repetition then finds them instead of creating them a second time.
 */
function withIds(users: readonly NewUser[], keyHash: string | undefined): readonly NewUser[] {
  if (keyHash === undefined) return users;
  return users.map((user, index) => ({
    ...user,
    id:
      user.id ??
      createHash('sha256')
        .update(JSON.stringify([keyHash, users, index]))
        .digest('hex')
        .slice(0, 32),
  }));
}
