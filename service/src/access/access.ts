/** Who may call a route. A route states it by `access`; what it does not state is refused. Pure. */

/**
 * - `member`: a person who sees the own profile and workouts only.
 * - `viewer`: reads everything.
 * - `operator`: also retries, replays, pauses and cancels.
 * - `admin`: also changes users, accounts and settings.
 * - `service`: a program that starts runs and follows them, such as cron.
 */
export const ROLES = ['member', 'viewer', 'operator', 'admin', 'service'] as const;
export type Role = (typeof ROLES)[number];

/**
 * - `self`: a member whose user id is the parameter `:id` or `:userId` of the path.
 * - `own`: a member with a user id. The handler restricts what is read and changed to what that user owns (`ownerLimit`), and answers
 *   for everything else as if it did not exist.
 */
export type Grant = Role | 'self' | 'own';

/** `open`: everybody, also without a token. */
export type Access = 'open' | readonly Grant[];

/** May read everything. */
export const READERS = ['viewer', 'operator', 'admin'] as const satisfies readonly Role[];
/** May also change what is under way. */
export const OPERATORS = ['operator', 'admin'] as const satisfies readonly Role[];
export const ADMINS = ['admin'] as const satisfies readonly Role[];

/** Who sent a request, as the database has it at that moment. */
export interface Caller {
  readonly accountId: string;
  /** Names the account in the audit. */
  readonly pseudonym: string;
  readonly role: Role;
  /** The user whose profile and workouts belong to the account; only members have one. */
  readonly userId?: string | undefined;
  /** `cookie`: a browser sends it by itself, so a request that changes something needs a proof of its origin. */
  readonly via: 'bearer' | 'cookie';
  /** Id of the token, or of the session of the cookie: what a log-out ends. */
  readonly credentialId: string;
}

/** The parameters that name a user. */
const USER_PARAMETERS = ['id', 'userId'] as const;

/** @returns whether the paths of a route can say whom `self` means; a route with `self` must. */
export function namesUser(paths: readonly string[]): boolean {
  return paths.every((path) =>
    USER_PARAMETERS.some((name) => path.split('/').includes(`:${name}`)),
  );
}

/** @param params of the path, not checked yet. */
export function isAllowed(
  access: Access,
  caller: Pick<Caller, 'role' | 'userId'>,
  params: Readonly<Record<string, unknown>>,
): boolean {
  if (access === 'open' || access.includes(caller.role)) return true;
  if (caller.role !== 'member' || caller.userId === undefined) return false;
  if (access.includes('own')) return true;
  const { userId } = caller;
  return access.includes('self') && USER_PARAMETERS.some((name) => params[name] === userId);
}

/**
 * For handlers of routes with `own`.
 * @returns the user to whose things the caller is restricted; undefined for callers who may see those of everybody.
 * @throws Error without a caller, and for a member without a user, because no such route lets them in.
 */
export function ownerLimit(
  caller: Pick<Caller, 'role' | 'userId'> | undefined,
): string | undefined {
  if (caller !== undefined && caller.role !== 'member') return undefined;
  if (caller?.userId === undefined) throw new Error('nobody without a user may call this route');
  return caller.userId;
}
