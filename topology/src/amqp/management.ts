/** The two things FIT asks of the management API: is the broker's policy the planned one, and make it so. */
import { TopologyError } from '../errors.ts';
import type { PolicyPlan } from '../plan/topologyPlan.ts';

const REQUEST_TIMEOUT_MS = 5_000;

/**
 * Puts each policy that is missing or differs.
 * @param managementUrl with credentials, such as http://guest:guest@127.0.0.1:15672
 * @param vhost plain name, '/' is the default one.
 * @throws TopologyError `POLICY_FAILED` naming the policy and the broker's answer.
 */
export async function applyPolicies(
  managementUrl: string,
  vhost: string,
  policies: readonly PolicyPlan[],
): Promise<void> {
  for (const policy of policies) {
    const path = `/api/policies/${encodeURIComponent(vhost)}/${encodeURIComponent(policy.name)}`;
    const wanted = {
      pattern: policy.pattern,
      definition: policy.definition,
      // Not 'quorum_queues': brokers before 3.12 do not know it, and the patterns name single queues anyway.
      'apply-to': 'queues',
      priority: 0,
    };
    const live = await request(managementUrl, path);
    if (live.ok && isSame((await live.json()) as Record<string, unknown>, wanted)) continue;
    const put = await request(managementUrl, path, wanted);
    if (!put.ok) throw policyFailure(policy.name, `${put.status} ${await put.text()}`);
  }
}

function isSame(live: Record<string, unknown>, wanted: Record<string, unknown>): boolean {
  return Object.entries(wanted).every(
    ([key, value]) => JSON.stringify(sorted(live[key])) === JSON.stringify(sorted(value)),
  );
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value).sort(([a], [b]) => a.localeCompare(b));
}

async function request(managementUrl: string, path: string, body?: object): Promise<Response> {
  const url = new URL(managementUrl);
  // The same default as AMQP clients have; the broker takes it on loopback only.
  const user = url.username === '' ? 'guest' : decodeURIComponent(url.username);
  const password = url.password === '' ? 'guest' : decodeURIComponent(url.password);
  try {
    return await fetch(new URL(path, url.origin), {
      method: body === undefined ? 'GET' : 'PUT',
      headers: {
        authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
        'content-type': 'application/json',
      },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    // Not a TopologyError: a broker that is coming up answers soon, so the session tries again.
    throw new Error(`management API at ${url.host} did not answer`, { cause: error });
  }
}

function policyFailure(name: string, answer: string): TopologyError {
  return new TopologyError('POLICY_FAILED', [
    {
      code: 'POLICY_REFUSED',
      culprit: name,
      remedy: `the broker answered ${answer}; the user needs the policymaker tag`,
    },
  ]);
}
