/** One virtual host's side of the management API: HTTP in, plain JSON out. */
import { TopologyError } from '../errors.ts';

const REQUEST_TIMEOUT_MS = 5_000;
const UNAUTHORIZED = 401;
const NOT_FOUND = 404;

/** Bound to one broker and one virtual host; holds no connection. */
export class ManagementApi {
  /** Plain name, '/' is the default one. */
  readonly vhost: string;
  readonly #url: URL;

  /** @param managementUrl with credentials, such as http://guest:guest@127.0.0.1:15672 */
  constructor(managementUrl: string, vhost: string) {
    this.#url = new URL(managementUrl);
    this.vhost = vhost;
  }

  /**
   * @param path names in it are plain words; each is encoded here.
   * @returns the answer's JSON, or undefined where there is no such object.
   * @throws TopologyError `BROKER_REFUSED` where the user may not ask; Error where nobody answers yet.
   */
  async find(path: readonly string[]): Promise<unknown> {
    const response = await this.#request('GET', path);
    if (response.status === NOT_FOUND) return undefined;
    return (await this.#accepted(response, path)).json();
  }

  /** As `find`. @throws TopologyError also where there is no such object: then the virtual host is missing. */
  async get(path: readonly string[]): Promise<unknown> {
    const response = await this.#request('GET', path);
    return (await this.#accepted(response, path)).json();
  }

  /** @returns undefined where it is done, otherwise the broker's answer. */
  async put(path: readonly string[], body: object): Promise<string | undefined> {
    const response = await this.#request('PUT', path, { body });
    return response.ok ? undefined : `${response.status} ${await response.text()}`;
  }

  /** One that is not there is no error. @returns undefined where it is gone, otherwise the broker's answer. */
  async delete(
    path: readonly string[],
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<string | undefined> {
    const response = await this.#request('DELETE', path, { timeoutMs });
    if (response.ok || response.status === NOT_FOUND) return undefined;
    return `${response.status} ${await response.text()}`;
  }

  /** @returns such as '4.3.6'. */
  async version(): Promise<string> {
    const { rabbitmq_version } = (await this.get(['overview'])) as { rabbitmq_version?: string };
    return rabbitmq_version ?? '0.0.0';
  }

  /** The same default as AMQP clients have; the broker takes it on loopback only. */
  get #user(): string {
    return decodeURIComponent(this.#url.username) || 'guest';
  }

  async #accepted(response: Response, path: readonly string[]): Promise<Response> {
    if (response.ok) return response;
    const answer = `${response.status} ${await response.text()}`;
    // Not a TopologyError: a broker that is coming up is well soon, so the session tries again.
    if (response.status >= 500) throw new Error(`management API answered ${answer}`);
    const remedy =
      response.status === UNAUTHORIZED
        ? `the management API refuses user '${this.#user}': check name and password in the management URL`
        : `'${path.join('/')}' was answered with ${answer}; user '${this.#user}' needs the policymaker tag and rights on virtual host '${this.vhost}'`;
    throw new TopologyError('BROKER_REFUSED', [
      { code: 'MANAGEMENT_REFUSED', subject: this.#url.host, remedy },
    ]);
  }

  async #request(
    method: string,
    path: readonly string[],
    { body, timeoutMs = REQUEST_TIMEOUT_MS }: { body?: object; timeoutMs?: number } = {},
  ): Promise<Response> {
    const password = decodeURIComponent(this.#url.password) || 'guest';
    const words = path.map((word) => encodeURIComponent(word)).join('/');
    // An API behind a prefix of its own (`path_prefix`) keeps it.
    const prefix = this.#url.pathname.replace(/\/$/, '');
    try {
      return await fetch(new URL(`${prefix}/api/${words}`, this.#url.origin), {
        method,
        headers: {
          authorization: `Basic ${Buffer.from(`${this.#user}:${password}`).toString('base64')}`,
          'content-type': 'application/json',
        },
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new Error(`management API at ${this.#url.host} did not answer`, { cause: error });
    }
  }
}
