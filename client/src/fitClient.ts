/** A client of the monolith's API, for cron, launchers, tests and campaigns. */
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

const REQUEST_TIMEOUT_MS = 60_000;
/** /readyz answers within a second, whatever the dependencies of the monolith do. */
const READY_TIMEOUT_MS = 2_000;
/** Users in one request of `createUsers`. */
const BATCH_SIZE = 500;

/** The monolith answered with a status other than 2xx. */
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
    method: 'GET' | 'POST' | 'PUT',
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
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok)
      throw new FitRequestError(response.status, `${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  /** @returns the reason why the monolith is not ready for work; undefined where it is ready. */
  async unreadiness(): Promise<string | undefined> {
    try {
      const response = await fetch(new URL('/readyz', this.#url), {
        signal: AbortSignal.timeout(READY_TIMEOUT_MS),
      });
      const { status, checks } = (await response.json()) as ReadyReply;
      if (response.ok) return undefined;
      const reasons = Object.entries(checks).flatMap(([name, { why }]) =>
        why === undefined ? [] : [`${name} ${why}`],
      );
      return `${status}: ${reasons.join('; ')}`;
    } catch {
      return `no answer from ${this.#url}`;
    }
  }

  /** Creates users; users that exist already are not changed. */
  async createUsers(users: readonly object[]): Promise<void> {
    for (let index = 0; index < users.length; index += BATCH_SIZE)
      await this.request('POST', '/users/batch', {
        body: { users: users.slice(index, index + BATCH_SIZE) },
      });
  }

  async generateWods(body: object = {}, idempotencyKey?: string): Promise<RunReply> {
    const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    return (await this.request('POST', '/generateWods', { body, headers })) as RunReply;
  }

  /**
   * Sets the time by which the next daily run must have ended; the alert CronOverdue fires after it.
   * @param dueBy undefined: no daily run is expected any more.
   */
  async expectDailyRun(dueBy: Date | undefined): Promise<void> {
    await this.request('PUT', '/dailyRun', { body: { dueBy: dueBy?.toISOString() ?? null } });
  }

  /** @returns the time that `expectDailyRun` set last; undefined where no daily run is expected. */
  async dailyRunDueBy(): Promise<Date | undefined> {
    const { dueBy } = (await this.request('GET', '/dailyRun')) as { dueBy: string | null };
    return dueBy === null ? undefined : new Date(dueBy);
  }

  async run(runId: string): Promise<RunStatusReply> {
    return (await this.request('GET', `/runs/${runId}`)) as RunStatusReply;
  }
}

interface ReadyReply {
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly why?: string }>>;
}

interface RequestOptions {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}
