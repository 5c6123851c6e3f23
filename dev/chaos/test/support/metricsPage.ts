/** A live page of metrics, read. */

export interface Series {
  /** Without the suffixes of a histogram. */
  readonly metric: string;
  /** As it stands on the page. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class Page {
  readonly text: string;
  readonly types: ReadonlyMap<string, string>;
  readonly series: readonly Series[];

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

  /** @param labels only series that have these. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.series
      .filter((one) => one.name === name)
      .filter((one) =>
        Object.entries(labels).every(([label, value]) => one.labels[label] === value),
      )
      .reduce((total, { value }) => total + value, 0);
  }

  #read(line: string): Series {
    const [, name = '', list = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const labels = [...list.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, label = '', text = '']) => [label, text] as const,
    );
    const base = name.replace(/_(?:bucket|sum|count)$/, '');
    const metric = this.types.get(base) === 'histogram' ? base : name;
    return { metric, name, labels: Object.fromEntries(labels), value: Number(value) };
  }
}

export async function readPage(url: string): Promise<Page> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  return new Page(await response.text());
}
