/** Users: create one or many, list them, read one, read the workout of one. */
import { DateText, dayIn, UserId, Wod, wodId } from '@fit/contract';
import { jobId } from '@fit/jobs';
import { type BatchStore, type JobStore, showJobs } from '@fit/jobs/store';
import { defineRoute, Problem, type Route } from '@fit/service';
import Type from 'typebox';
import { NewUser, User, type UserStore } from '../store/userStore.ts';
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

export function userRoutes({ users, jobs, batches, timezone }: UserRouteParts): Route[] {
  return [
    defineRoute({
      method: 'post',
      paths: ['/users'],
      access: 'admin',
      body: NewUser,
      reply: User,
      handle: async ({ body }) => {
        const { created } = await users.create([body], new Date());
        const [user] = created;
        if (user !== undefined) return { status: 201, body: user };
        throw new Problem({
          status: 409,
          code: 'user_exists',
          title: `There is a user ${body.id ?? ''} already`,
        });
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/users/batch'],
      access: 'admin',
      body: Many,
      reply: Type.Object({ created: Type.Integer(), takenIds: Type.Array(UserId) }),
      handle: async ({ body }) => {
        const { created, takenIds } = await users.create(body.users, new Date());
        return { status: 201, body: { created: created.length, takenIds } };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/users'],
      access: 'admin',
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
      access: 'admin',
      params: Type.Object({ id: UserId }),
      reply: User,
      handle: async ({ params }) => {
        const user = await users.find(params.id);
        if (user !== undefined) return { body: user };
        throw new Problem({
          status: 404,
          code: 'user_not_found',
          title: `There is no user ${params.id}`,
        });
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/users/:id/wod'],
      access: 'admin',
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
          status: 404,
          code: shown === undefined ? 'wod_not_requested' : 'wod_not_ready',
          title: `No workout is stored for ${params.id} on ${date}`,
          members: shown === undefined ? {} : { jobId: shown.job._id, jobState: shown.state },
        });
      },
    }),
  ];
}
