/** The monolith's API for commands, tests and campaigns. */
import pRetry from 'p-retry';

/**
 * How a program logs in: as a person, as a service account, or with a token that it has already. A token is used until it is refused.
 */
export type Credentials =
  | { readonly email: string; readonly password: string }
  | { readonly clientId: string; readonly clientSecret: string }
  | { readonly token: string };

/** The reply to a request for a run: its jobs are recorded after it, so a new run has none yet. */
export interface RunReply {
  readonly runId: string;
  readonly date: string;
  readonly state: 'accepting' | 'running' | 'finished' | 'cancelling' | 'cancelled';
  /** Users that the run is for; absent until they are counted. */
  readonly total?: number;
  /** Users whose jobs are recorded and published. */
  readonly expanded: number;
  readonly created: number;
  readonly skipped: number;
}

export interface RunStatusReply extends RunReply {
  readonly refused: number;
  readonly states: Readonly<Record<string, number>>;
  readonly causes: Readonly<Record<string, number>>;
  readonly percent: number;
  readonly ratePerSecond: number;
  readonly etaSeconds?: number;
}

/** The reply to a log-in. */
interface TokenReply {
  readonly token: string;
  /** Lifetime in seconds. */
  readonly expires_in: number;
}

interface HeldToken {
  readonly token: string;
  /** When a new one is asked for, by `performance.now()`. */
  readonly renewAtMs: number;
}

/** Part of a token's lifetime after which it is renewed, so that no request is under way with one that ends. */
const RENEWED_AFTER = 0.9;
const UNAUTHORIZED = 401;
const REQUEST_TIMEOUT_MS = 60_000;
/** The monolith answers /readyz within a second, whatever its dependencies do. */
const READY_TIMEOUT_MS = 2_000;
const RETRY_MS = 2_000;
const USERS_PER_REQUEST = 500;

/** The monolith answered with a status other than 2xx. */
export class FitRequestError extends Error {
  override readonly name = 'FitRequestError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * @returns whether the same request may succeed later: the network failed, or the monolith is busy, restarting or without
 * its database. False for a refusal (4xx) and for a defect (500), which would be the same again.
 */
export function isTemporary(error: unknown): boolean {
  return !(error instanceof FitRequestError) || [429, 502, 503, 504].includes(error.status);
}

/** @returns whether a request that only reads, or that sets the same value again, may be repeated: also after a 500. */
export function isRepeatable(error: unknown): boolean {
  return isTemporary(error) || (error instanceof FitRequestError && error.status >= 500);
}

export interface RetryOptions {
  /** No attempt starts later than this, in milliseconds; default: no limit. */
  readonly waitMs?: number;
  /** Ends the waiting, with the reason of the signal. */
  readonly signal?: AbortSignal;
  /** Whether the request is repeated after this error; default `isTemporary`. */
  readonly shouldRetry?: (error: unknown) => boolean;
  /** Gets a line for each new reason why the monolith does not accept the request. */
  readonly onProgress?: (line: string) => void;
}

/**
 * Repeats a request every two seconds while `shouldRetry` allows it. The request must be safe to repeat.
 * @throws the error of the last attempt.
 */
export async function untilAccepted<Reply>(
  request: () => Promise<Reply>,
  {
    waitMs = Number.POSITIVE_INFINITY,
    signal,
    shouldRetry = isTemporary,
    onProgress,
  }: RetryOptions,
): Promise<Reply> {
  let lastReason: string | undefined;
  return await pRetry(request, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: RETRY_MS,
    factor: 1,
    maxRetryTime: waitMs,
    ...(signal === undefined ? {} : { signal }),
    shouldRetry: ({ error }) => shouldRetry(error),
    onFailedAttempt: ({ error }) => {
      if (shouldRetry(error) && error.message !== lastReason)
        onProgress?.(`the monolith does not accept the request yet: ${error.message}`);
      lastReason = error.message;
    },
  });
}

export class FitClient {
  readonly #url: string;
  readonly #credentials: Credentials | (() => Promise<Credentials>);
  /** Shared by simultaneous requests, so that they log in once. */
  #held: Promise<HeldToken> | undefined;

  /**
   * @param credentials a function is called before each log-in, so that a secret that was replaced in its file is used from then on.
   * It throws where there are none.
   */
  constructor(url: string, credentials: Credentials | (() => Promise<Credentials>)) {
    this.#url = url;
    this.#credentials = credentials;
  }

  /**
   * Logs in where there is no token yet, the token ends soon or it was refused. A refused request did nothing, so it is sent again.
   * @throws FitRequestError with the problem document of the answer, also of a log-in; Error where there is no answer.
   */
  async request(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    options: RequestOptions = {},
  ): Promise<unknown> {
    const token = await this.token();
    try {
      return await this.#send(method, path, options, token);
    } catch (error) {
      if (!(error instanceof FitRequestError) || error.status !== UNAUTHORIZED) throw error;
      // Another request may have replaced the refused token already.
      if ((await this.#held)?.token === token) this.#held = undefined;
      return await this.#send(method, path, options, await this.token());
    }
  }

  /** @returns a token that monolith and coach accept. @throws as `request` does. */
  async token(): Promise<string> {
    const held = await this.#hold();
    if (performance.now() < held.renewAtMs) return held.token;
    this.#held = undefined;
    return (await this.#hold()).token;
  }

  async #hold(): Promise<HeldToken> {
    const held = (this.#held ??= this.#logIn());
    try {
      return await held;
    } catch (error) {
      if (this.#held === held) this.#held = undefined;
      throw error;
    }
  }

  async #logIn(): Promise<HeldToken> {
    const credentials =
      typeof this.#credentials === 'function' ? await this.#credentials() : this.#credentials;
    if ('token' in credentials)
      return { token: credentials.token, renewAtMs: Number.POSITIVE_INFINITY };
    const reply =
      'email' in credentials
        ? await this.#send('POST', '/auth/login', {
            body: { email: credentials.email, password: credentials.password },
          })
        : await this.#send('POST', '/oauth/token', {
            body: {
              grant_type: 'client_credentials',
              client_id: credentials.clientId,
              client_secret: credentials.clientSecret,
            },
          });
    const { token, expires_in: seconds } = reply as TokenReply;
    return { token, renewAtMs: performance.now() + RENEWED_AFTER * 1_000 * seconds };
  }

  async #send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    { body, headers }: RequestOptions,
    token?: string,
  ): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(new URL(path, this.#url), {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new Error(`${method} ${path}: no answer from ${this.#url}`, { cause });
    }
    const text = await response.text();
    if (!response.ok)
      throw new FitRequestError(response.status, `${method} ${path}: ${response.status} ${text}`);
    // A reply of 204 has no body.
    return text === '' ? undefined : JSON.parse(text);
  }

  /** @returns why the monolith is not ready for work; undefined where it is ready. Never throws. */
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

  /** Users who exist already are left unchanged. */
  async createUsers(users: readonly object[]): Promise<void> {
    for (let index = 0; index < users.length; index += USERS_PER_REQUEST)
      await this.request('POST', '/users/batch', {
        body: { users: users.slice(index, index + USERS_PER_REQUEST) },
      });
  }

  async generateWods(body: object = {}, idempotencyKey?: string): Promise<RunReply> {
    const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    return (await this.request('POST', '/generateWods', { body, headers })) as RunReply;
  }

  /**
   * Sets the deadline of the next daily run. The alert CronOverdue fires where it passes without a later one being set.
   * @param dueBy undefined: no daily run is expected any more.
   */
  async expectDailyRun(dueBy: Date | undefined): Promise<void> {
    await this.request('PUT', '/dailyRun', { body: { dueBy: dueBy?.toISOString() ?? null } });
  }

  /** @returns the deadline of the next daily run; undefined where no daily run is expected. */
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
