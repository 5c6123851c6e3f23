/** A virtual host of its own for one test: nothing in it is shared, and everything in it goes with it. */
import { randomUUID } from 'node:crypto';
import { askManagement, type Teardown, testServerUrl } from './testServer.ts';

export interface TestBroker {
  readonly amqpUrl: string;
  /** With credentials. */
  readonly managementUrl: string;
  readonly vhost: string;
}

/** @throws Error where the FIT_TEST_ variables are missing, or the broker refuses. */
export async function testBroker(teardown: Teardown): Promise<TestBroker> {
  const amqpUrl = testServerUrl('FIT_TEST_AMQP_URL');
  const managementUrl = testServerUrl('FIT_TEST_MANAGEMENT_URL');
  const vhost = `test-${randomUUID()}`;
  await askManagement({ method: 'PUT', path: `/api/vhosts/${vhost}`, body: {} });
  teardown.after(async () => {
    await askManagement({ method: 'DELETE', path: `/api/vhosts/${vhost}` });
  });
  const user = encodeURIComponent(decodeURIComponent(managementUrl.username));
  await askManagement({
    method: 'PUT',
    path: `/api/permissions/${vhost}/${user}`,
    body: { configure: '.*', write: '.*', read: '.*' },
  });
  amqpUrl.pathname = `/${vhost}`;
  return { amqpUrl: amqpUrl.href, managementUrl: managementUrl.href, vhost };
}
