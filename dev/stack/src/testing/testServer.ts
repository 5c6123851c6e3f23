/** The servers that `npm test` started for the tests, and the management API of the broker among them. */
export type TestVariable = 'FIT_TEST_AMQP_URL' | 'FIT_TEST_MANAGEMENT_URL' | 'FIT_TEST_MONGODB_URL';

/** What a test hands over for its teardown: a test context, or the functions of node:test itself. */
export interface Teardown {
  after(undo: () => Promise<void>): void;
}

export interface ManagementRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Begins with /api/; names in it are encoded by the caller. */
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

const REQUEST_TIMEOUT_MS = 10_000;

/** @throws Error that says how to run the tests. */
export function testServerUrl(variable: TestVariable): URL {
  const url = process.env[variable];
  if (url !== undefined && url !== '') return new URL(url);
  throw new Error(
    `${variable} is not set: run \`npm test\`, or \`npm test -- --only '<glob>'\` for some of it`,
  );
}

/**
 * One request to the management API.
 * @returns its JSON, undefined where the answer is empty.
 * @throws Error with the answer, where the broker refuses.
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
