/** Users: create one or many, list, look at one. */
import { UserId } from '@fit/contract';
import { defineRoute, Problem, type Route } from '@fit/service';
import Type from 'typebox';
import { NewUser, User } from '../store/user.ts';
import type { UserStore } from '../store/userStore.ts';

const Many = Type.Object(
  { users: Type.Array(NewUser, { minItems: 1, maxItems: 500 }) },
  { additionalProperties: false },
);

export function userRoutes(users: UserStore): Route[] {
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
      query: Type.Object(
        {
          after: Type.Optional(UserId),
          limit: Type.Optional(
            Type.String({ pattern: '^([1-9]\\d?|[1-4]\\d\\d|500)$', maxLength: 3 }),
          ),
        },
        { additionalProperties: false },
      ),
      reply: Type.Object({ users: Type.Array(User), next: Type.Optional(UserId) }),
      handle: async ({ query }) => {
        const limit = Number(query.limit ?? 100);
        const page = await users.list(query.after ?? '', limit);
        const last = page.at(-1)?.id;
        const isFull = page.length === limit && last !== undefined;
        return { body: { users: page, ...(isFull ? { next: last } : {}) } };
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
        if (user === undefined)
          throw new Problem({
            status: 404,
            code: 'user_not_found',
            title: `There is no user ${params.id}`,
          });
        return { body: user };
      },
    }),
  ];
}
