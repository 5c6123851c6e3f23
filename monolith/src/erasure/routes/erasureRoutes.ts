/** The deletion of a user: request it, and read how far it is. */
import { UserId } from '@fit/contract';
import {
  ADMINS,
  defineRoute,
  type Erasure,
  Problem,
  type ProblemKind,
  type Route,
} from '@fit/service';
import Type, { type Static } from 'typebox';
import { NOT_A_MEMBER } from '../../accounts/accountProblems.ts';
import type { Accounts } from '../../accounts/accounts.ts';
import { USER_NOT_FOUND } from '../../routes/userRoutes.ts';
import type { UserStore } from '../../store/userStore.ts';
import type { Erasures } from '../erasures.ts';

export interface ErasureRouteParts {
  readonly users: Pick<UserStore, 'find' | 'delete'>;
  readonly accounts: Pick<Accounts, 'ofUser' | 'deleteOfUser'>;
  readonly erasures: Pick<Erasures, 'begin' | 'find'>;
}

const Deletion = Type.Object(
  {
    userId: UserId,
    /** done: no document and no message has the id of the user. */
    state: Type.Enum(['running', 'done']),
    requestedAt: Type.String(),
    doneAt: Type.Optional(Type.String()),
  },
  { title: 'Deletion' },
);

const NO_DELETION = {
  status: 404,
  code: 'no_deletion',
  when: 'nobody has deleted a user of this id within 30 days',
  remedy: 'DELETE /users/{id} deletes a user.',
} as const satisfies ProblemKind;

export function erasureRoutes({ users, accounts, erasures }: ErasureRouteParts): Route[] {
  return [
    defineRoute({
      method: 'delete',
      paths: ['/users/:id'],
      access: [...ADMINS, 'self'],
      summary: 'Delete a user with everything that FIT has of the user',
      description:
        'Profile, account and sessions end at once. Workouts, jobs, dead letters and kept replies are deleted in the background; jobs that are under way are not run any more. It is done after the longest retry path, as `GET /users/{id}/deletion` says. Lines of logs stay, and the audit keeps a pseudonym that leads to nobody. The id cannot be used again for 30 days.',
      tag: 'Users',
      params: Type.Object({ id: UserId }),
      reply: Deletion,
      statuses: [202],
      problems: [USER_NOT_FOUND, NOT_A_MEMBER],
      audit: { action: 'user.delete', target: ({ params }) => ({ user: params.id }) },
      handle: async ({ params: { id } }) => {
        // Before anything else, because it refuses a user whose account has another role.
        const hasAccount = (await accounts.ofUser(id)).length > 0;
        const isKnown = hasAccount || (await users.find(id)) !== undefined;
        const erasure = isKnown ? await erasures.begin(id) : await erasures.find(id);
        if (erasure === undefined)
          throw new Problem({ ...USER_NOT_FOUND, title: `There is no user ${id}` });
        // The passes do the same; here it takes effect before the reply.
        await users.delete(id);
        await accounts.deleteOfUser(id);
        return { body: toReply(id, erasure) };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/users/:id/deletion'],
      access: ADMINS,
      summary: 'Read how far the deletion of a user is',
      tag: 'Users',
      params: Type.Object({ id: UserId }),
      reply: Deletion,
      problems: [NO_DELETION],
      handle: async ({ params: { id } }) => {
        const erasure = await erasures.find(id);
        if (erasure !== undefined) return { body: toReply(id, erasure) };
        throw new Problem({ ...NO_DELETION, title: `The user ${id} was not deleted` });
      },
    }),
  ];
}

function toReply(userId: string, { requestedAt, doneAt }: Erasure): Static<typeof Deletion> {
  return {
    userId,
    state: doneAt === undefined ? 'running' : 'done',
    requestedAt: requestedAt.toISOString(),
    ...(doneAt === undefined ? {} : { doneAt: doneAt.toISOString() }),
  };
}
