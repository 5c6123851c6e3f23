/** The metrics of one process, made from the catalogue: all of them at once, and every known label set at zero. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type LabelsOf, type NameOf, OWN_METRICS } from './catalogue.ts';
import { collectRuntime } from './collectRuntime.ts';
import type { MetricDefinition, ProcessName } from './definition.ts';
import { type KnownLabels, LabelBounds } from './labelBounds.ts';

interface Made {
  readonly metric: Counter | Gauge | Histogram;
  readonly bounds: LabelBounds;
}

/**
 * What a process does not export it may still be told: an event of a part that runs elsewhere changes nothing.
 * Nothing here waits, so a scrape cannot hang.
 */
export class MetricSet {
  readonly registry = new Registry();
  readonly #made = new Map<string, Made>();
  readonly #readings = new Map<string, Reading[]>();

  constructor(process: ProcessName, known: KnownLabels) {
    collectRuntime(this.registry);
    for (const [name, definition] of Object.entries<MetricDefinition>(OWN_METRICS))
      if (definition.exportedBy.includes(process)) this.#make(name, definition, known);
  }

  add<Name extends NameOf<'counter'>>(name: Name, labels: LabelsOf<Name>, count = 1): void {
    const made = this.#made.get(name);
    if (made?.metric instanceof Counter) made.metric.inc(made.bounds.within(labels), count);
  }

  set<Name extends NameOf<'gauge'>>(name: Name, labels: LabelsOf<Name>, value: number): void {
    const made = this.#made.get(name);
    if (made?.metric instanceof Gauge) made.metric.set(made.bounds.within(labels), value);
  }

  observe<Name extends NameOf<'histogram'>>(
    name: Name,
    labels: LabelsOf<Name>,
    value: number,
  ): void {
    const made = this.#made.get(name);
    if (made?.metric instanceof Histogram) made.metric.observe(made.bounds.within(labels), value);
  }

  /** A label set of a histogram that is known only now, at zero. */
  startAtZero<Name extends NameOf<'histogram'>>(name: Name, labels: LabelsOf<Name>): void {
    const made = this.#made.get(name);
    if (made?.metric instanceof Histogram) made.metric.zero(made.bounds.within(labels));
  }

  /** Read at each scrape; must answer at once, and where it is a counter only rise. */
  readAtScrape<Name extends NameOf<'counter' | 'gauge'>>(
    name: Name,
    labels: LabelsOf<Name>,
    value: () => number,
  ): void {
    const readings = this.#readings.get(name) ?? [];
    this.#readings.set(name, [...readings, { labels, value }]);
  }

  #make(name: string, definition: MetricDefinition, known: KnownLabels): void {
    const metric = this.#construct(name, definition);
    const bounds = new LabelBounds(definition, known);
    this.#made.set(name, { metric, bounds });
    if (definition.appearsWhen !== undefined) {
      // Without labels prom-client exports a 0 from the start, which here would be a statement.
      if (metric instanceof Gauge && Object.keys(definition.labels).length === 0) metric.remove();
      return;
    }
    for (const labels of bounds.combinations()) startAtZero(metric, labels);
  }

  #construct(name: string, { kind, help, labels, buckets }: MetricDefinition): Made['metric'] {
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

interface Reading {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: () => number;
}

/** Or `increase` would miss the first event. */
function startAtZero(metric: Made['metric'], labels: Readonly<Record<string, string>>): void {
  if (metric instanceof Counter) metric.inc(labels, 0);
  else if (metric instanceof Gauge) metric.set(labels, 0);
  else metric.zero(labels);
}
