/** The servers that `npm test` started for the tests, and the parts of them that one test has for itself. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';

export type TestVariable = 'FIT_TEST_AMQP_URL' | 'FIT_TEST_MANAGEMENT_URL' | 'FIT_TEST_MONGODB_URL';

/** Registers a teardown: a test context, or the functions of node:test themselves. */
export interface Teardown {
  after(teardown: () => Promise<void>): void;
}

export interface ManagementRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Begins with /api/; the caller encodes names in it. */
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

const REQUEST_TIMEOUT_MS = 10_000;

/** @throws Error with the command that runs the tests, if the variable is missing. */
export function testServerUrl(variable: TestVariable): URL {
  const url = process.env[variable];
  if (url !== undefined && url !== '') return new URL(url);
  throw new Error(
    `${variable} is not set: run \`npm test\`, or \`npm test -- --only '<glob>'\` for some of it`,
  );
}

/**
 * Sends one request to the broker's management API.
 * @returns its JSON, undefined if the answer is empty.
 * @throws Error with the answer if the broker refuses.
 */
export async function askManagement(request: ManagementRequest): Promise<unknown> {
  const url = testServerUrl('FIT_TEST_MANAGEMENT_URL');
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const response = await fetch(new URL(request.path, url.origin), {
    method: request.method,
    headers: {
      authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      'content-type': 'application/json',
      ...request.headers,
    },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
  });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`${request.method} ${request.path} answered ${response.status}: ${text}`);
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}

/** A virtual host of the broker. */
export interface TestBroker {
  readonly amqpUrl: string;
  /** With credentials. */
  readonly managementUrl: string;
  readonly vhost: string;
}

/**
 * Makes a virtual host that only this test uses; the teardown deletes it with everything in it.
 * @throws Error if the FIT_TEST_ variables are missing, or the broker refuses.
 */
export async function testBroker(teardown: Teardown): Promise<TestBroker> {
  const amqpUrl = testServerUrl('FIT_TEST_AMQP_URL');
  const managementUrl = testServerUrl('FIT_TEST_MANAGEMENT_URL');
  const vhost = `test-${randomUUID()}`;
  await askManagement({ method: 'PUT', path: `/api/vhosts/${vhost}`, body: {} });
  teardown.after(async () => {
    await purgeQueues(vhost);
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

/**
 * The process that dead-letters a queue's messages (RabbitMQ 4.3.6) crashes where it still has one when the queue is deleted. Its supervisor then
 * gives up after some restarts, and no queue that dead-letters at least once can be declared on this broker any more.
 */
async function purgeQueues(vhost: string): Promise<void> {
  const queues = (await askManagement({
    method: 'GET',
    path: `/api/queues/${vhost}?columns=name,type`,
  })) as { readonly name: string; readonly type: string }[];
  for (const { name, type } of queues)
    if (type === 'quorum')
      await askManagement({
        method: 'DELETE',
        path: `/api/queues/${vhost}/${encodeURIComponent(name)}/contents`,
      }).catch((error: unknown) => {
        // Deleted since by the test.
        if (!String(error).includes('answered 404')) throw error;
      });
}

/**
 * @returns the URL of a database that only this test uses and that does not exist yet. The caller drops it, since that
 * takes a driver.
 * @throws Error if FIT_TEST_MONGODB_URL is missing.
 */
export function testDatabaseUrl(): string {
  const url = testServerUrl('FIT_TEST_MONGODB_URL');
  url.pathname = `/test-${randomUUID().slice(0, 13)}`;
  return url.href;
}

/**
 * Blocks every write to a collection, by a lock on its table, while `work` runs.
 * @param databaseUrl the database of the test; the collection exists in it.
 * @returns false where the database is not the native one, whose tables can be locked; then `work` was not run.
 * @throws what `work` throws; Error with the output of psql if the collection has no table.
 */
export async function whileWritesAreBlocked(
  { databaseUrl, collection }: { databaseUrl: string; collection: string },
  work: () => Promise<void>,
): Promise<boolean> {
  const words = process.env['FIT_TEST_PSQL'];
  if (words === undefined) return false;
  const [program = '', ...args] = JSON.parse(words) as string[];
  const session = spawn(program, args);
  const ended = once(session, 'close');
  try {
    const database = new URL(databaseUrl).pathname.slice(1);
    session.stdin.write(`
      begin;
      select format('lock table documentdb_data.documents_%s in share mode', collection_id) as statement
        from documentdb_api_catalog.collections
        where database_name = '${database}' and collection_name = '${collection}' \\gset
      :statement;
      \\echo blocked
    `);
    let output = '';
    const blocked = Promise.withResolvers<undefined>();
    for (const stream of [session.stdout, session.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes('blocked')) blocked.resolve(undefined);
      });
    void ended.then(() => {
      blocked.reject(new Error(`no lock on ${database}.${collection}: ${output}`));
    });
    await blocked.promise;
    await work();
  } finally {
    // The session ends with its input, and its transaction and lock with it.
    session.stdin.end();
    await ended;
  }
  return true;
}
