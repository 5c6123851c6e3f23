/** A token that monolith and coach accept; the coach does not know the administrator's token. */
import type { FitClient } from '@fit/client';

/** @param client of an administrator. @returns a token of a new account that may read everything. */
export async function viewerToken(client: FitClient): Promise<string> {
  const [email, password] = [`${crypto.randomUUID()}@example.org`, crypto.randomUUID()];
  const account = { role: 'viewer', name: 'A viewer of a test', email, password };
  await client.request('POST', '/accounts', { body: account });
  const login = await client.request('POST', '/auth/login', { body: { email, password } });
  return (login as { readonly token: string }).token;
}
