/** What can be wrong with an account or a log-in. */
import type { ProblemKind } from '@fit/service';

export const WRONG_BOOTSTRAP_SECRET = {
  status: 401,
  code: 'wrong_bootstrap_secret',
  when: 'the bearer token is not the bootstrap secret',
  remedy: 'Send the content of the file that FIT_BOOTSTRAP_SECRET_FILE names as a bearer token.',
} as const satisfies ProblemKind;

export const ALREADY_BOOTSTRAPPED = {
  status: 409,
  code: 'already_bootstrapped',
  when: 'the first administrator exists',
  remedy: 'Let an administrator make further accounts by POST /accounts.',
} as const satisfies ProblemKind;

export const REGISTRATION_CLOSED = {
  status: 403,
  code: 'registration_closed',
  when: 'FIT_REGISTRATION is closed',
  remedy: 'Ask an administrator for an account.',
} as const satisfies ProblemKind;

export const ACCOUNT_EXISTS = {
  status: 409,
  code: 'account_exists',
  when: 'a service has this name',
  remedy: 'Choose another name, or make a new secret for the service.',
} as const satisfies ProblemKind;

export const NO_SERVICE_ACCOUNT = {
  status: 409,
  code: 'no_service_account',
  when: 'the account is that of a person, who has no secret',
  remedy: 'PATCH /accounts/:accountId sets the password of a person.',
} as const satisfies ProblemKind;

export const SECRET_IN_FILE = {
  status: 409,
  code: 'secret_in_file',
  when: 'the account is that of cron, whose secret is the content of a file',
  remedy: 'Write a new secret into the file that FIT_CRON_SECRET_FILE names.',
} as const satisfies ProblemKind;

export const SECRET_RENEWED = {
  status: 409,
  code: 'secret_renewed',
  when: 'another request made a new secret of the service at the same time',
  remedy: 'Use that secret, or make a new one.',
} as const satisfies ProblemKind;

export const NO_PASSWORD = {
  status: 409,
  code: 'no_password',
  when: 'the account is that of a service, which has no password',
  remedy: 'An administrator makes a new secret by POST /accounts/:accountId/secret.',
} as const satisfies ProblemKind;

export const OWN_ACCOUNT = {
  status: 409,
  code: 'own_account',
  when: 'an administrator would change the own role or disable the own account',
  remedy: 'Let another administrator do it.',
} as const satisfies ProblemKind;

export const LAST_ADMIN = {
  status: 409,
  code: 'last_admin',
  when: 'no enabled administrator would remain',
  remedy: 'Give another account the role admin first.',
} as const satisfies ProblemKind;

export const ROLE_OF_SERVICE = {
  status: 409,
  code: 'role_of_service',
  when: 'a person would become a service or a service a person, or a service would get a password',
  remedy: 'Make a new account.',
} as const satisfies ProblemKind;

export const NO_USER = {
  status: 409,
  code: 'no_user',
  when: 'an account without a user would become that of a member',
  remedy: 'Make a new account for the member.',
} as const satisfies ProblemKind;

export const EMAIL_TAKEN = {
  status: 409,
  code: 'email_taken',
  when: 'an account has this e-mail address',
  remedy: 'Log in, or use another address.',
} as const satisfies ProblemKind;

export const ACCOUNT_NOT_FOUND = {
  status: 404,
  code: 'account_not_found',
  when: 'no account has this id',
  remedy: 'GET /accounts lists the accounts.',
} as const satisfies ProblemKind;

export const INVALID_CREDENTIALS = {
  status: 401,
  code: 'invalid_credentials',
  when: 'the e-mail address or the password is wrong, or the account is disabled',
  remedy: 'Check both; an administrator can set a new password.',
} as const satisfies ProblemKind;

export const TOO_MANY_ATTEMPTS = {
  status: 429,
  code: 'too_many_attempts',
  when: 'there were too many attempts from this address or for this account',
  remedy: 'Try again after Retry-After.',
} as const satisfies ProblemKind;

/** What every check of a password or a secret can answer, beside what is wrong with it. */
export const SIGN_IN_PROBLEMS: readonly ProblemKind[] = [INVALID_CREDENTIALS, TOO_MANY_ATTEMPTS];

export const NOT_A_MEMBER = {
  status: 409,
  code: 'not_a_member',
  when: 'an account of the user has another role than member',
  remedy: 'Another administrator makes it a member first; PATCH /accounts/{accountId} does.',
} as const satisfies ProblemKind;
