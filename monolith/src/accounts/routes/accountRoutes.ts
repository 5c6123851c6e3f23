/** Accounts for administrators: list, create, change, secrets of services, keys of tokens. */
import { UserId } from '@fit/contract';
import { ADMINS, defineRoute, invalidInput, type KeyRing, ROLES, type Route } from '@fit/service';
import Type from 'typebox';
import { limitOf, listQuery, nextOf } from '../../routes/keysetList.ts';
import {
  ACCOUNT_EXISTS,
  ACCOUNT_NOT_FOUND,
  EMAIL_TAKEN,
  LAST_ADMIN,
  NO_SERVICE_ACCOUNT,
  NO_USER,
  OWN_ACCOUNT,
  ROLE_OF_SERVICE,
  SECRET_IN_FILE,
  SECRET_RENEWED,
} from '../accountProblems.ts';
import type { Accounts } from '../accounts.ts';
import { AccountView, accountView } from './accountView.ts';
import { Email, Password, PersonName, required } from './signInRoutes.ts';

const AccountId = Type.String({ minLength: 1, maxLength: 64 });
/** Without an @, so that no service has the login of a person. */
const ServiceName = /^[a-z\d][a-z\d-]{0,39}$/;

const NewAccount = Type.Object(
  {
    role: Type.Enum([...ROLES]),
    name: PersonName,
    /** Of a person; a service has none, and signs in by its name. */
    email: Type.Optional(Email),
    password: Type.Optional(Password),
    /** The user that a member's account belongs to; default: a new one with a default profile. */
    userId: Type.Optional(UserId),
  },
  {
    additionalProperties: false,
    examples: [
      { role: 'viewer', name: 'Vera', email: 'vera@example.com', password: 'password123' },
      { role: 'service', name: 'reporting' },
    ],
  },
);

const Changes = Type.Object(
  {
    role: Type.Optional(Type.Enum([...ROLES])),
    isDisabled: Type.Optional(Type.Boolean()),
    password: Type.Optional(Password),
  },
  { additionalProperties: false, minProperties: 1, examples: [{ isDisabled: true }] },
);

/** Shown this once. */
const Secret = Type.String();

export function accountRoutes(accounts: Accounts, keyRing: Pick<KeyRing, 'rotate'>): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/accounts'],
      access: ADMINS,
      summary: 'List the accounts',
      description: 'In the order of their ids.',
      tag: 'Accounts',
      query: Type.Object(listQuery(AccountId), { additionalProperties: false }),
      reply: Type.Object({ accounts: Type.Array(AccountView), next: Type.Optional(AccountId) }),
      handle: async ({ query }) => {
        const limit = limitOf(query);
        const found = await accounts.list(query.after ?? '', limit);
        const ids = found.map(({ _id }) => _id);
        return { body: { accounts: found.map(accountView), ...nextOf(ids, limit) } };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/accounts'],
      access: ADMINS,
      summary: 'Create an account',
      description:
        'Of a person with e-mail address and password, or of a service by its name; the reply shows the secret of a service this once.',
      tag: 'Accounts',
      body: NewAccount,
      reply: Type.Object({ account: AccountView, secret: Type.Optional(Secret) }),
      statuses: [201],
      problems: [EMAIL_TAKEN, ACCOUNT_EXISTS],
      audit: {
        action: 'account.create',
        target: ({ body }, reply) => ({ account: reply?.account.id, accountRole: body.role }),
      },
      handle: async ({ body: { role, name, email, password, userId } }) => {
        if (role === 'service') {
          if (email !== undefined || password !== undefined || userId !== undefined)
            throw invalidInput('body', 'of a service has role and name alone');
          if (!ServiceName.test(name))
            throw invalidInput('body.name', 'of a service is 1 to 40 characters of a-z, 0-9 and -');
          const { account, secret } = await accounts.createService(name);
          return { status: 201, body: { account: accountView(account), secret } };
        }
        if (email === undefined) throw invalidInput('body.email', 'is missing');
        if (password === undefined) throw invalidInput('body.password', 'is missing');
        if (userId !== undefined && role !== 'member')
          throw invalidInput('body.userId', 'is for members alone');
        const account = await accounts.createPerson({ email, password, name }, role, userId);
        return { status: 201, body: { account: accountView(account) } };
      },
    }),
    defineRoute({
      method: 'patch',
      paths: ['/accounts/:accountId'],
      access: ADMINS,
      summary: 'Change role or password of an account, disable or enable it',
      description:
        'Takes effect with the next request of the account. A new password and disabling end all its tokens and sessions.',
      tag: 'Accounts',
      params: Type.Object({ accountId: AccountId }),
      body: Changes,
      reply: AccountView,
      problems: [ACCOUNT_NOT_FOUND, OWN_ACCOUNT, LAST_ADMIN, ROLE_OF_SERVICE, NO_USER],
      audit: {
        action: 'account.change',
        target: ({ params, body }) => ({
          account: params.accountId,
          accountRole: body.role,
          isDisabled: body.isDisabled,
          hasNewPassword: body.password === undefined ? undefined : true,
        }),
      },
      handle: async ({ params, body, caller }) => ({
        body: accountView(await accounts.change(required(caller), params.accountId, body)),
      }),
    }),
    defineRoute({
      method: 'post',
      paths: ['/accounts/:accountId/secret'],
      access: ADMINS,
      summary: 'Make a new secret of a service',
      description: 'The reply shows it this once. The secret before it stays valid for an hour.',
      tag: 'Accounts',
      params: Type.Object({ accountId: AccountId }),
      reply: Type.Object({ secret: Secret }),
      statuses: [201],
      problems: [ACCOUNT_NOT_FOUND, NO_SERVICE_ACCOUNT, SECRET_IN_FILE, SECRET_RENEWED],
      audit: {
        action: 'account.renewSecret',
        target: ({ params }) => ({ account: params.accountId }),
      },
      handle: async ({ params }) => ({
        status: 201,
        body: { secret: await accounts.renewSecret(params.accountId) },
      }),
    }),
    defineRoute({
      method: 'post',
      paths: ['/auth/keys'],
      access: ADMINS,
      summary: 'Make a new key that signs tokens',
      description:
        'Tokens of the key before it stay valid until they end, unless a further key is made meanwhile: the newest two keys are kept. With `keepsPrevious: false` tokens of every other key are refused within ten seconds, by a process without database within 15 minutes.',
      tag: 'Accounts',
      body: Type.Object(
        { keepsPrevious: Type.Optional(Type.Boolean()) },
        { additionalProperties: false },
      ),
      reply: Type.Null(),
      statuses: [204],
      audit: {
        action: 'tokenKeys.rotate',
        target: ({ body }) => ({ keepsPrevious: body.keepsPrevious !== false }),
      },
      handle: async ({ body }) => {
        await keyRing.rotate({ keepsPrevious: body.keepsPrevious !== false });
        return { status: 204, body: null };
      },
    }),
  ];
}
