/** The part of Prometheus's HTTP API that tests and campaigns use. */

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** May contain NaN. */
  readonly values: readonly number[];
}

export interface TimeRange {
  /** Unix time in seconds. */
  readonly from: number;
  readonly to: number;
  readonly stepSeconds: number;
}

export interface ActiveAlert {
  readonly state: 'pending' | 'firing';
  readonly labels: Readonly<Record<string, string>>;
}

export interface EvaluatedRule {
  readonly name: string;
  readonly health: 'ok' | 'unknown' | 'err';
  readonly lastError?: string;
  /** Present for alerting rules only. */
  readonly alerts?: readonly ActiveAlert[];
}

/** Every method throws if Prometheus does not answer, or with its message if it refuses. */
export class PrometheusApi {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** @returns each series with its current value. */
  async query(query: string): Promise<Series[]> {
    const { result } = (await this.#ask('query', { query })) as {
      result: { metric: Record<string, string>; value: [number, string] }[];
    };
    return result.map(({ metric, value }) => ({ metric, values: [Number(value[1])] }));
  }

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

  /** @returns pending and firing alerts. */
  async alerts(): Promise<readonly ActiveAlert[]> {
    return ((await this.#ask('alerts')) as { alerts: ActiveAlert[] }).alerts;
  }

  /** @returns the rules of all groups. */
  async rules(): Promise<readonly EvaluatedRule[]> {
    const { groups } = (await this.#ask('rules')) as { groups: { rules: EvaluatedRule[] }[] };
    return groups.flatMap(({ rules }) => rules);
  }

  async labelValues(label: string, selector?: string): Promise<string[]> {
    const parameters = selector === undefined ? {} : { 'match[]': selector };
    return (await this.#ask(`label/${label}/values`, parameters)) as string[];
  }

  /** @returns the syntax tree of an expression. */
  async parse(query: string): Promise<unknown> {
    return await this.#ask('parse_query', { query });
  }

  async #ask(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const url = `${this.#url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`;
    const response = await fetch(url);
    const body = (await response.json()) as { status: string; error?: string; data: unknown };
    if (body.status !== 'success') throw new Error(`${path}: ${body.error ?? response.status}`);
    return body.data;
  }
}
