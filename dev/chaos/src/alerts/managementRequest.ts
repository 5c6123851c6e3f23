/** One request to the broker's management API, as a person with the password would make it. */
import type { AlertWorld } from './alertWorld.ts';

export interface BrokerRequest {
  readonly method: 'PUT' | 'DELETE';
  /** Begins with /api/; names in it are encoded. */
  readonly path: string;
  readonly body?: object;
}

/** @throws Error with the answer, where the broker refuses. */
export async function askBroker(
  { managementUrl }: Pick<AlertWorld, 'managementUrl'>,
  { method, path, body }: BrokerRequest,
): Promise<void> {
  const { username, password, origin } = new URL(managementUrl);
  const reply = await fetch(new URL(path, origin), {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
}
