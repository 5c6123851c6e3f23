/** The monolith's API as launchers, tests and campaigns use it. */
export interface RunReply {
  readonly runId: string;
  readonly total: number;
  readonly created: number;
  readonly skipped: number;
}

export interface RunStatusReply extends RunReply {
  readonly date: string;
  readonly state: 'accepting' | 'running' | 'finished';
  readonly states: Readonly<Record<string, number>>;
  readonly causes: Readonly<Record<string, number>>;
  readonly percent: number;
  readonly ratePerSecond: number;
  readonly etaSeconds?: number;
}

const REQUEST_MS = 60_000;
const BATCH_COUNT = 500;

/** An answer other than 2xx. */
export class FitRequestError extends Error {
  override readonly name = 'FitRequestError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class FitClient {
  readonly #url: string;
  readonly #adminToken: string;

  constructor(url: string, adminToken: string) {
    this.#url = url;
    this.#adminToken = adminToken;
  }

  /** @throws FitRequestError with the problem's title, or the network's error. */
  async request(
    method: 'GET' | 'POST',
    path: string,
    options: RequestOptions = {},
  ): Promise<unknown> {
    const { body, headers } = options;
    const response = await fetch(new URL(path, this.#url), {
      method,
      headers: {
        authorization: `Bearer ${this.#adminToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      signal: AbortSignal.timeout(REQUEST_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok)
      throw new FitRequestError(response.status, `${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  /** Those that exist already are left as they are. */
  async createUsers(users: readonly object[]): Promise<void> {
    for (let index = 0; index < users.length; index += BATCH_COUNT)
      await this.request('POST', '/users/batch', {
        body: { users: users.slice(index, index + BATCH_COUNT) },
      });
  }

  async generateWods(body: object = {}, idempotencyKey?: string): Promise<RunReply> {
    const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    return (await this.request('POST', '/generateWods', { body, headers })) as RunReply;
  }

  async run(runId: string): Promise<RunStatusReply> {
    return (await this.request('GET', `/runs/${runId}`)) as RunStatusReply;
  }
}

interface RequestOptions {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}
