/** Signing in and out: the first administrator, registration, tokens, sessions of browsers, the own password. */
import {
  bearerOf,
  type Caller,
  defineRoute,
  invalidInput,
  Problem,
  type ProblemKind,
  ROLES,
  type Route,
  SECURE_SESSION_COOKIE,
  SESSION_COOKIE,
} from '@fit/service';
import Type, { type Static } from 'typebox';
import {
  ACCOUNT_NOT_FOUND,
  ALREADY_BOOTSTRAPPED,
  EMAIL_TAKEN,
  NO_PASSWORD,
  REGISTRATION_CLOSED,
  SIGN_IN_PROBLEMS,
  TOO_MANY_ATTEMPTS,
  WRONG_BOOTSTRAP_SECRET,
} from '../accountProblems.ts';
import { type Accounts, type IssuedToken, SESSION_SECONDS } from '../accounts.ts';
import { EMAIL_MAX_CHARS } from '../emailAddress.ts';
import { PASSWORD_MAX_BYTES } from '../passwords.ts';
import { AccountView, accountView } from './accountView.ts';

/** Longer than an address may be, because white space around it is ignored. */
export const Email = Type.String({ minLength: 1, maxLength: EMAIL_MAX_CHARS + 10 });
export const Password = Type.String({ maxLength: PASSWORD_MAX_BYTES });
export const PersonName = Type.String({ minLength: 1, maxLength: 100 });

const NewPerson = Type.Object(
  { email: Email, password: Password, name: PersonName },
  { additionalProperties: false },
);
const SignIn = Type.Object({ email: Email, password: Password }, { additionalProperties: false });

/** The names of OAuth 2.0 (RFC 6749), and `token` for those who look for it by that name. */
const Token = Type.Object({
  access_token: Type.String(),
  token: Type.String(),
  token_type: Type.Literal('Bearer'),
  /** In seconds. */
  expires_in: Type.Integer(),
});

const OAuthRequest = Type.Object(
  {
    /** `password` or `client_credentials`; both what is missing and what is unknown is answered as RFC 6749 says. */
    grant_type: Type.Optional(Type.String({ maxLength: 100 })),
    /** The e-mail address, for the grant `password`. */
    username: Type.Optional(Email),
    password: Type.Optional(Password),
    client_id: Type.Optional(Type.String({ maxLength: 100 })),
    client_secret: Type.Optional(Type.String({ maxLength: 1_024 })),
    /** Ignored: what a token allows is the role of its account. */
    scope: Type.Optional(Type.String({ maxLength: 1_000 })),
  },
  {
    additionalProperties: false,
    examples: [
      { grant_type: 'password', username: 'ann@example.com', password: 'password123' },
      { grant_type: 'client_credentials', client_id: 'cron', client_secret: 'secret' },
    ],
  },
);

/** RFC 6749 answers a wrong password with 400. */
const INVALID_GRANT: ProblemKind = {
  status: 400,
  code: 'invalid_credentials',
  when: 'the e-mail address or the password is wrong, or the account is disabled',
};

/** Every caller with a valid token or session. */
const SIGNED_IN = ROLES;
const NOTHING = { status: 204, body: null } as const;

const STRANGERS =
  'Anybody may send it, so strangers could fill the audit; the account says when it was made.';
const LOG_IN =
  'It changes sessions and the counters of log-ins alone; the log has a line of each request.';

export function signInRoutes(accounts: Accounts): Route[] {
  return [
    defineRoute({
      method: 'post',
      paths: ['/bootstrap/admin'],
      access: 'open',
      secretName: 'bootstrap',
      summary: 'Make the first administrator',
      description: 'Once for a database. The bearer token is the bootstrap secret.',
      tag: 'Accounts',
      body: NewPerson,
      reply: AccountView,
      statuses: [201],
      problems: [WRONG_BOOTSTRAP_SECRET, ALREADY_BOOTSTRAPPED, EMAIL_TAKEN, TOO_MANY_ATTEMPTS],
      audit: { none: STRANGERS },
      handle: async ({ body, headers, address }) => {
        const secret = bearerOf(headers['authorization']);
        return { status: 201, body: accountView(await accounts.bootstrap(secret, body, address)) };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/auth/register'],
      access: 'open',
      summary: 'Register as a member',
      description: 'Makes an account and the profile of a user: a beginner without equipment.',
      tag: 'Accounts',
      body: NewPerson,
      reply: AccountView,
      statuses: [201],
      problems: [REGISTRATION_CLOSED, EMAIL_TAKEN, TOO_MANY_ATTEMPTS],
      audit: { none: STRANGERS },
      handle: async ({ body, address }) => ({
        status: 201,
        body: accountView(await accounts.register(body, address)),
      }),
    }),
    defineRoute({
      method: 'post',
      paths: ['/auth/login'],
      access: 'open',
      summary: 'Log in for a token',
      description:
        'The token is valid for 30 minutes. An unknown address and a wrong password get the same answer after the same time.',
      tag: 'Accounts',
      body: SignIn,
      takesForm: true,
      reply: Token,
      problems: SIGN_IN_PROBLEMS,
      audit: { none: LOG_IN },
      handle: async ({ body, address }) => {
        const account = await accounts.signIn(body.email, body.password, address);
        return { body: tokenReply(await accounts.issueToken(account)) };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/oauth/token'],
      access: 'open',
      summary: 'Get a token as OAuth 2.0 describes it',
      description:
        'Grants: `password` for people, `client_credentials` for services, whose credentials may also be sent as a Basic header. Errors have the member `error` of RFC 6749.',
      tag: 'Accounts',
      body: OAuthRequest,
      takesForm: true,
      reply: Token,
      problems: [INVALID_GRANT, ...SIGN_IN_PROBLEMS],
      audit: { none: LOG_IN },
      handle: async ({ body, headers, address }) => {
        const account = await grantTo(accounts, { ...body, ...basicOf(headers) }, address);
        return { body: tokenReply(await accounts.issueToken(account)) };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/auth/session'],
      access: 'open',
      summary: 'Log in for a session cookie',
      description:
        'For browsers: no script can read the cookie, and it ends after 12 hours. Requests that change something need the header x-fit-csrf.',
      tag: 'Accounts',
      body: SignIn,
      reply: AccountView,
      statuses: [201],
      problems: SIGN_IN_PROBLEMS,
      audit: { none: LOG_IN },
      handle: async ({ body, headers, address }) => {
        const account = await accounts.signIn(body.email, body.password, address);
        const cookie = await accounts.openSession(account);
        return {
          status: 201,
          headers: { 'set-cookie': sessionCookie(cookie, SESSION_SECONDS, headers) },
          body: accountView(account),
        };
      },
    }),
    defineRoute({
      method: 'post',
      paths: ['/auth/logout'],
      access: SIGNED_IN,
      summary: 'End the token or session of the request',
      description: 'At once and in all processes.',
      tag: 'Accounts',
      reply: Type.Null(),
      statuses: [204],
      audit: { none: LOG_IN },
      handle: async ({ caller, headers }) => {
        const signedIn = required(caller);
        await accounts.signOut(signedIn);
        // The log-out of a token leaves a cookie beside it alone: its session goes on, and would have no owner without the cookie.
        return signedIn.via === 'bearer'
          ? NOTHING
          : { ...NOTHING, headers: { 'set-cookie': sessionCookie('', 0, headers) } };
      },
    }),
    defineRoute({
      method: 'get',
      paths: ['/auth/me'],
      access: SIGNED_IN,
      summary: 'Read the own account',
      tag: 'Accounts',
      reply: AccountView,
      problems: [ACCOUNT_NOT_FOUND],
      handle: async ({ caller }) => ({
        body: accountView(await accounts.find(required(caller).accountId)),
      }),
    }),
    defineRoute({
      method: 'post',
      paths: ['/auth/password'],
      access: SIGNED_IN,
      summary: 'Change the own password',
      description: 'Ends every token and session of the account.',
      tag: 'Accounts',
      body: Type.Object({ current: Password, password: Password }, { additionalProperties: false }),
      reply: Type.Null(),
      statuses: [204],
      problems: [ACCOUNT_NOT_FOUND, NO_PASSWORD, ...SIGN_IN_PROBLEMS],
      audit: { action: 'account.changeOwnPassword' },
      handle: async ({ body, caller, address }) => {
        await accounts.changePassword(required(caller), body, address);
        return NOTHING;
      },
    }),
  ];
}

/** @returns who sent the request; a route that is not open always knows. */
export function required(caller: Caller | undefined): Caller {
  if (caller === undefined) throw new Error('a route for callers with a role has no caller');
  return caller;
}

function tokenReply({ token, expiresInSeconds }: IssuedToken): Static<typeof Token> {
  return {
    access_token: token,
    token,
    token_type: 'Bearer',
    expires_in: expiresInSeconds,
  };
}

/** @returns client id and secret of a Basic header (RFC 6749, section 2.3.1), which come before those of the body. */
function basicOf({ authorization = '' }: Readonly<Record<string, string | undefined>>): {
  client_id?: string;
  client_secret?: string;
} {
  const [, encoded] = /^basic +([\w+/=-]+)$/i.exec(authorization) ?? [];
  if (encoded === undefined) return {};
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return {};
  // Both are encoded as in a form, where a plus sign is a space.
  const decode = (part: string) => decodeURIComponent(part.replaceAll('+', ' '));
  try {
    return {
      client_id: decode(text.slice(0, colon)),
      client_secret: decode(text.slice(colon + 1)),
    };
  } catch {
    return {};
  }
}

/** Errors are problem documents with the member `error` of RFC 6749 and its status. */
async function grantTo(
  accounts: Accounts,
  { grant_type, username, password, client_id, client_secret }: Static<typeof OAuthRequest>,
  address: string,
) {
  if (grant_type === 'password') {
    if (username === undefined) throw invalidRequest('body.username', 'is missing');
    if (password === undefined) throw invalidRequest('body.password', 'is missing');
    return await asOAuthError(accounts.signIn(username, password, address), 400, 'invalid_grant');
  }
  if (grant_type === undefined) throw invalidRequest('body.grant_type', 'is missing');
  if (grant_type !== 'client_credentials')
    throw invalidRequest(
      'body.grant_type',
      'must be password or client_credentials',
      'unsupported_grant_type',
    );
  if (client_id === undefined) throw invalidRequest('body.client_id', 'is missing');
  if (client_secret === undefined) throw invalidRequest('body.client_secret', 'is missing');
  return await asOAuthError(
    accounts.signInService(client_id, client_secret, address),
    401,
    'invalid_client',
  );
}

function invalidRequest(field: string, fault: string, error = 'invalid_request'): Problem {
  const { options } = invalidInput(field, fault);
  return new Problem({ ...options, members: { ...options.members, error } });
}

async function asOAuthError<Answer>(
  answer: Promise<Answer>,
  status: number,
  error: string,
): Promise<Answer> {
  try {
    return await answer;
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    // RFC 6749 has no error of its own for too many attempts; clients repeat this one later.
    if (thrown.options.status === 429)
      throw new Problem({ ...thrown.options, members: { error: 'temporarily_unavailable' } });
    if (thrown.options.status !== 401) throw thrown;
    throw new Problem({
      ...thrown.options,
      status,
      members: { error },
      headers: status === 401 ? { 'www-authenticate': 'Basic realm="fit"' } : {},
    });
  }
}

/** `Secure` where the browser reached the proxy by TLS; a browser refuses it on plain HTTP, except on this machine. */
function sessionCookie(
  value: string,
  maxAgeSeconds: number,
  headers: Readonly<Record<string, string | undefined>>,
): string {
  const isSecure = headers['x-forwarded-proto'] === 'https';
  const name = isSecure ? SECURE_SESSION_COOKIE : SESSION_COOKIE;
  const secure = isSecure ? '; Secure' : '';
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSeconds}${secure}`;
}
