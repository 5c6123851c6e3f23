/** Whether a web server answers. */
import { basicAuthorization, type Login } from '../service/login.ts';

const ANSWER_DEADLINE_MS = 2000;
const NOT_FOUND = 404;

/**
 * True on a status from 200 to 299; throws when nobody listens or two seconds pass.
 * @param login for a server that asks for a password.
 */
export async function answersHttp(url: string, login?: Login): Promise<boolean> {
  return (await ask(url, { headers: basicAuthorization(login) })).ok;
}

/**
 * The management API of RabbitMQ, whose pages answer before its statistics do (500, seen on 4.3.6).
 * @param user whose password must be accepted. Undefined: guest is asked for, and where there is none any more the refusal
 * is an answer, too.
 */
export async function answersManagement(port: number, user: Login | undefined): Promise<boolean> {
  const asked = user ?? { name: 'guest', password: 'guest' };
  const { ok, status } = await ask(managementUrl(port, '/api/overview'), {
    headers: basicAuthorization(asked),
  });
  return ok || (user === undefined && status < 500);
}

/** Deletes guest, which ends its connections, too. @returns whether there is none now. */
export async function removesGuest(port: number, user: Login): Promise<boolean> {
  const { ok, status } = await ask(managementUrl(port, '/api/users/guest'), {
    method: 'DELETE',
    headers: basicAuthorization(user),
  });
  return ok || status === NOT_FOUND;
}

function managementUrl(port: number, path: string): string {
  return `http://127.0.0.1:${port}${path}`;
}

async function ask(url: string, options: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, {
    ...options,
    signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
  });
  await response.body?.cancel();
  return response;
}
