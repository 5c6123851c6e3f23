/** The metrics of one process, made from the catalogue; each known label set starts at 0. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import {
  type KnownLabel,
  type LabelBound,
  type LabelsOf,
  type MetricDefinition,
  type NameOf,
  OTHER,
  OWN_METRICS,
  type ProcessName,
} from './metricCatalogue.ts';

/** The label values that this process knows at its start. */
export type KnownLabels = Readonly<Partial<Record<KnownLabel, readonly string[]>>>;

type Labels = Readonly<Record<string, string>>;

/** A value that is read at each scrape. */
interface Reading {
  readonly labels: Labels;
  readonly value: () => number;
}

interface BoundedMetric {
  readonly metric: Counter | Gauge | Histogram;
  readonly bounds: LabelBounds;
}

/**
 * A metric that this process does not export may still be added to, and nothing happens: one listener serves all processes.
 * No method waits, so that a scrape cannot hang.
 */
export class MetricSet {
  readonly registry = new Registry();
  readonly #metrics = new Map<string, BoundedMetric>();
  readonly #readings = new Map<string, Reading[]>();

  constructor(process: ProcessName, known: KnownLabels) {
    collectDefaultMetrics({ register: this.registry });
    for (const [name, definition] of Object.entries<MetricDefinition>(OWN_METRICS))
      if (definition.exportedBy.includes(process)) this.#register(name, definition, known);
  }

  add<Name extends NameOf<'counter'>>(name: Name, labels: LabelsOf<Name>, count = 1): void {
    const bounded = this.#metrics.get(name);
    if (bounded?.metric instanceof Counter) bounded.metric.inc(bounded.bounds.limit(labels), count);
  }

  set<Name extends NameOf<'gauge'>>(name: Name, labels: LabelsOf<Name>, value: number): void {
    const bounded = this.#metrics.get(name);
    if (bounded?.metric instanceof Gauge) bounded.metric.set(bounded.bounds.limit(labels), value);
  }

  observe<Name extends NameOf<'histogram'>>(
    name: Name,
    labels: LabelsOf<Name>,
    value: number,
  ): void {
    const bounded = this.#metrics.get(name);
    if (bounded?.metric instanceof Histogram)
      bounded.metric.observe(bounded.bounds.limit(labels), value);
  }

  /** Starts a label set of a histogram at 0, where the set is known only after the metric was made. */
  startAtZero<Name extends NameOf<'histogram'>>(name: Name, labels: LabelsOf<Name>): void {
    const bounded = this.#metrics.get(name);
    if (bounded?.metric instanceof Histogram) bounded.metric.zero(bounded.bounds.limit(labels));
  }

  /** @param value is called at each scrape; it must return at once, and the value of a counter must never fall. */
  readAtScrape<Name extends NameOf<'counter' | 'gauge'>>(
    name: Name,
    labels: LabelsOf<Name>,
    value: () => number,
  ): void {
    const readings = this.#readings.get(name) ?? [];
    this.#readings.set(name, [...readings, { labels, value }]);
  }

  #register(name: string, definition: MetricDefinition, known: KnownLabels): void {
    const metric = this.#construct(name, definition);
    const bounds = new LabelBounds(definition, known);
    this.#metrics.set(name, { metric, bounds });
    if (definition.appearsWhen !== undefined) {
      // prom-client exports a gauge without labels as 0 from the start, which would be read as a measured value.
      if (metric instanceof Gauge && Object.keys(definition.labels).length === 0) metric.remove();
      return;
    }
    for (const labels of bounds.combinations()) setToZero(metric, labels);
  }

  #construct(
    name: string,
    { kind, help, labels, buckets }: MetricDefinition,
  ): BoundedMetric['metric'] {
    const readings = this.#readings;
    const options = { name, help, labelNames: Object.keys(labels), registers: [this.registry] };
    switch (kind) {
      case 'counter':
        return new Counter({
          ...options,
          collect() {
            const read = readings.get(name);
            if (read !== undefined) this.reset();
            for (const reading of read ?? []) this.inc(reading.labels, reading.value());
          },
        });
      case 'gauge':
        return new Gauge({
          ...options,
          collect() {
            for (const reading of readings.get(name) ?? [])
              this.set(reading.labels, reading.value());
          },
        });
      case 'histogram':
        return new Histogram({ ...options, buckets: [...(buckets ?? [])] });
    }
  }
}

/** A counter that starts at 1 would hide its first event from PromQL's `increase`. */
function setToZero(metric: BoundedMetric['metric'], labels: Labels): void {
  if (metric instanceof Counter) metric.inc(labels, 0);
  else if (metric instanceof Gauge) metric.set(labels, 0);
  else metric.zero(labels);
}

/** The label bounds of one metric in one process. */
class LabelBounds {
  readonly #bounds: readonly (readonly [name: string, bound: Bound])[];

  constructor(definition: MetricDefinition, known: KnownLabels) {
    this.#bounds = Object.entries(definition.labels).map(([name, bound]) => [
      name,
      boundOf(bound, known),
    ]);
  }

  /** @returns the labels, with each value outside its bound replaced by `other`. */
  limit(labels: Labels): Labels {
    let limited = labels;
    for (const [name, bound] of this.#bounds) {
      const value = labels[name] ?? OTHER;
      if (!bound.admits(value)) limited = { ...limited, [name]: OTHER };
    }
    return limited;
  }

  /** @returns every combination of the known label values; an open label has only the value `other`. */
  combinations(): Labels[] {
    return this.#bounds.reduce<Labels[]>(
      (sets, [name, { known }]) =>
        sets.flatMap((labels) => known.map((value) => ({ ...labels, [name]: value }))),
      [{}],
    );
  }
}

interface Bound {
  readonly known: readonly string[];
  readonly admits: (value: string) => boolean;
}

function boundOf(bound: LabelBound, known: KnownLabels): Bound {
  if ('atMost' in bound) return openBound(bound.atMost);
  const values = 'known' in bound ? (known[bound.known] ?? []) : bound;
  const admitted = new Set(values);
  return { known: values, admits: (value) => admitted.has(value) };
}

/** The first `atMost` values that occur are allowed; later ones are not. */
function openBound(atMost: number): Bound {
  const seen = new Set<string>();
  return {
    known: [OTHER],
    admits: (value) => {
      if (seen.has(value)) return true;
      if (seen.size >= atMost) return false;
      seen.add(value);
      return true;
    },
  };
}
