/** The broker's management API, for virtual hosts and the broker's version. */
import type { Stack } from '@fit/stack';

export interface Management {
  readonly url: string;
  readonly user: string;
  /** @returns its JSON; undefined where the answer is empty. */
  ask(method: 'GET' | 'PUT' | 'DELETE', path: string, body?: object): Promise<unknown>;
}

/** Deleting a virtual host deletes its queues first, and large ones take their time. */
const REQUEST_TIMEOUT_MS = 60_000;

/** @throws Error where the stack has no management API: its broker was given from outside. */
export function openManagement({ managementUrl }: Pick<Stack, 'managementUrl'>): Management {
  if (managementUrl === undefined)
    throw new Error('the bench needs the management API: leave AMQP_URL unset');
  const url = new URL(managementUrl);
  const user = url.username === '' ? 'guest' : decodeURIComponent(url.username);
  const password = url.password === '' ? 'guest' : decodeURIComponent(url.password);
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  return {
    url: managementUrl,
    user,
    ask: async (method, path, body) => {
      const response = await fetch(new URL(path, url.origin), {
        method,
        headers: { authorization, 'content-type': 'application/json' },
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
      return text === '' ? undefined : (JSON.parse(text) as unknown);
    },
  };
}

/** @returns such as '4.3.6'. */
export async function brokerVersionOf(management: Management): Promise<string> {
  const overview = (await management.ask('GET', '/api/overview')) as { rabbitmq_version?: string };
  return overview.rabbitmq_version ?? 'unknown';
}
