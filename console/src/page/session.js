/** Logging in and out. The browser keeps the session in a cookie that no script can read. */

/** Whether this browser logged in, so that a page without a session asks for a log-in at once. It is no secret. */
const LOGGED_IN_KEY = 'fit-logged-in';
/** The server refuses a request that changes something without it, because other pages cannot send it. */
const HEADERS = { 'content-type': 'application/json', 'x-fit-csrf': '1' };
const UNREACHABLE = 'The server does not answer. Try again.';

/** @returns {boolean} */
export function mayHaveSession() {
  return localStorage.getItem(LOGGED_IN_KEY) !== null;
}

export function forgetSession() {
  localStorage.removeItem(LOGGED_IN_KEY);
}

/**
 * @param {string} email
 * @param {string} password
 * @returns {Promise<string>} why it failed; empty where it did not.
 */
export async function logIn(email, password) {
  const problem = await post('/auth/session', JSON.stringify({ email, password }));
  if (problem === '') localStorage.setItem(LOGGED_IN_KEY, 'yes');
  return problem;
}

/** @returns {Promise<string>} why it failed; empty where it did not. */
export async function logOut() {
  const problem = await post('/auth/logout', undefined);
  if (problem === '') forgetSession();
  return problem;
}

/** @returns {Promise<{ name: string, role: string } | undefined>} undefined: not known. */
export async function readAccount() {
  try {
    const response = await fetch('/auth/me', { cache: 'no-store' });
    if (!response.ok) return undefined;
    const account = /** @type {unknown} */ (await response.json());
    return /** @type {{ name: string, role: string }} */ (account);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} path
 * @param {string | undefined} body
 * @returns {Promise<string>}
 */
async function post(path, body) {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: HEADERS,
      ...(body === undefined ? {} : { body }),
    });
    if (response.ok) return '';
    const problem = /** @type {unknown} */ (await response.json());
    const { title } = /** @type {{ title?: string }} */ (problem);
    return `${title ?? `The server answered ${response.status}`}.`;
  } catch {
    return UNREACHABLE;
  }
}
