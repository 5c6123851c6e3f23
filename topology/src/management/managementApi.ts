/** HTTP requests to the management API about one virtual host. */
import { TopologyError } from '../errors.ts';

const REQUEST_TIMEOUT_MS = 5_000;
const UNAUTHORIZED = 401;
const NOT_FOUND = 404;

/** Requests about one virtual host of one broker. Each has a timeout of 5 s; no connection is kept. */
export class ManagementApi {
  /** Name, not encoded; '/' is the default one. */
  readonly vhost: string;
  readonly #url: URL;

  /** @param managementUrl with credentials, such as http://guest:guest@127.0.0.1:15672 */
  constructor(managementUrl: string, vhost: string) {
    this.#url = new URL(managementUrl);
    this.vhost = vhost;
  }

  /**
   * @param path has names that are not encoded; each is encoded here.
   * @returns the JSON of the response; undefined if there is no such object.
   * @throws TopologyError `BROKER_REFUSED` if the user has no permission; Error if the API does not answer, or not yet.
   */
  async find(path: readonly string[]): Promise<unknown> {
    const response = await this.#request('GET', path);
    if (response.status === NOT_FOUND) return undefined;
    return (await this.#accepted(response, path)).json();
  }

  /** As `find`. @throws TopologyError also if there is no such object, because then the virtual host is missing. */
  async get(path: readonly string[]): Promise<unknown> {
    const response = await this.#request('GET', path);
    return (await this.#accepted(response, path)).json();
  }

  /** @returns undefined if the broker accepted, otherwise its response. */
  async put(path: readonly string[], body: object): Promise<string | undefined> {
    const response = await this.#request('PUT', path, { body });
    return response.ok ? undefined : `${response.status} ${await response.text()}`;
  }

  /** Deletes an object. A missing object is not an error. @returns undefined if it is deleted, otherwise the broker's response. */
  async delete(
    path: readonly string[],
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<string | undefined> {
    const response = await this.#request('DELETE', path, { timeoutMs });
    if (response.ok || response.status === NOT_FOUND) return undefined;
    return `${response.status} ${await response.text()}`;
  }

  /** @returns the broker's version, such as '4.3.6'. */
  async version(): Promise<string> {
    const { rabbitmq_version } = (await this.get(['overview'])) as { rabbitmq_version?: string };
    return rabbitmq_version ?? '0.0.0';
  }

  /** The default is that of AMQP clients; the broker accepts it on the loopback interface only. */
  get #user(): string {
    return decodeURIComponent(this.#url.username) || 'guest';
  }

  async #accepted(response: Response, path: readonly string[]): Promise<Response> {
    if (response.ok) return response;
    const answer = `${response.status} ${await response.text()}`;
    // No TopologyError: a broker that is starting answers soon, so the session tries again.
    if (response.status >= 500) throw new Error(`management API answered ${answer}`);
    const remedy =
      response.status === UNAUTHORIZED
        ? `the management API refuses user '${this.#user}' for '${path.join('/')}' (${answer}): check name and password in the management URL`
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
    // The API may have a prefix (`path_prefix`), which is kept.
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
