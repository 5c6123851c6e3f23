/** Prometheus's HTTP API, as far as the live tests ask it. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** NaN among them. */
  readonly values: readonly number[];
}

export interface TimeRange {
  /** Unix time in seconds. */
  readonly from: number;
  readonly to: number;
  readonly stepSeconds: number;
}

export class PrometheusApi {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** @throws Error with Prometheus's own words, where it refuses the expression. */
  async queryRange(query: string, { from, to, stepSeconds }: TimeRange): Promise<Series[]> {
    const parameters = { query, start: `${from}`, end: `${to}`, step: `${stepSeconds}` };
    const { result } = (await this.#ask('query_range', parameters)) as {
      result: { metric: Record<string, string>; values: [number, string][] }[];
    };
    return result.map(({ metric, values }) => ({
      metric,
      values: values.map(([, value]) => Number(value)),
    }));
  }

  async labelValues(label: string, selector?: string): Promise<string[]> {
    const parameters = selector === undefined ? {} : { 'match[]': selector };
    return (await this.#ask(`label/${label}/values`, parameters)) as string[];
  }

  /** @returns the tree that Prometheus makes of an expression. */
  async parse(query: string): Promise<unknown> {
    return await this.#ask('parse_query', { query });
  }

  async #ask(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const url = `${this.#url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`;
    const response = await fetch(url);
    const body = (await response.json()) as { status: string; error?: string; data: unknown };
    if (body.status !== 'success') throw new Error(`${path}: ${body.error ?? response.status}`);
    return body.data;
  }
}
