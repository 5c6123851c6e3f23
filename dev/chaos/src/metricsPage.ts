/** The metrics page of a running process in Prometheus's text format, parsed. */

export interface MetricSeries {
  /** Name without the suffixes of a histogram. */
  readonly metric: string;
  /** Name as on the page. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class MetricsPage {
  readonly text: string;
  readonly types: ReadonlyMap<string, string>;
  readonly series: readonly MetricSeries[];

  constructor(text: string) {
    this.text = text;
    const lines = text.split('\n');
    this.types = new Map(
      lines.flatMap((line) => {
        const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
        return name === undefined || type === undefined ? [] : [[name, type] as const];
      }),
    );
    this.series = lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => this.#read(line));
  }

  /** @param labels only series that have these labels. @returns the sum of their values; 0 if there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.series
      .filter((one) => one.name === name)
      .filter((one) =>
        Object.entries(labels).every(([label, value]) => one.labels[label] === value),
      )
      .reduce((total, { value }) => total + value, 0);
  }

  #read(line: string): MetricSeries {
    const [, name = '', list = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const labels = [...list.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, label = '', text = '']) => [label, text] as const,
    );
    const base = name.replace(/_(?:bucket|sum|count)$/, '');
    const metric = this.types.get(base) === 'histogram' ? base : name;
    return { metric, name, labels: Object.fromEntries(labels), value: Number(value) };
  }
}

/** @returns the sum of `MetricsPage.sum` over several processes. */
export function sumOf(
  pages: readonly MetricsPage[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return pages.reduce((total, page) => total + page.sum(name, labels), 0);
}

export async function readMetricsPage(url: string): Promise<MetricsPage> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  return new MetricsPage(await response.text());
}
