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

/**
 * Milliseconds between two looks at the delay of the event loop; the delay that is exported has them added. The default of 10
 * takes 5.9 ms of processor time each second, half of what an idle coach takes, 50 takes 1.3 (measured).
 */
const EVENT_LOOP_INTERVAL_MS = 50;

/** A value that is read at each scrape. */
interface Reading {
  readonly labels: Labels;
  readonly value: () => number;
}

interface BoundedMetric {
  readonly metric: Counter | Gauge | Histogram;
  readonly bounds: LabelBounds;
  /** Of a counter or a histogram; undefined for a gauge, which few events set. */
  readonly tallies: Tallies | undefined;
}

/**
 * A metric that this process does not export may still be added to, and nothing happens: one listener serves all processes.
 * No method waits, so that a scrape cannot hang. Counters and histograms are counted in tallies and reach prom-client at the
 * next scrape, because prom-client checks and joins the labels at every call (measured: a twentieth of a worker's time).
 */
export class MetricSet {
  readonly registry = new Registry();
  readonly #metrics = new Map<string, BoundedMetric>();
  readonly #readings = new Map<string, Reading[]>();

  constructor(process: ProcessName, known: KnownLabels) {
    collectDefaultMetrics({
      register: this.registry,
      eventLoopMonitoringPrecision: EVENT_LOOP_INTERVAL_MS,
    });
    for (const [name, definition] of Object.entries<MetricDefinition>(OWN_METRICS))
      if (definition.exportedBy.includes(process)) this.#register(name, definition, known);
  }

  add<Name extends NameOf<'counter'>>(name: Name, labels: LabelsOf<Name>, count = 1): void {
    const tallies = this.#metrics.get(name)?.tallies;
    if (tallies !== undefined) tallies.of(labels).sum += count;
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
    this.#metrics.get(name)?.tallies?.of(labels).observe(value);
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
    const bounds = new LabelBounds(definition, known);
    const tallies =
      definition.kind === 'gauge' ? undefined : new Tallies(bounds, definition.buckets ?? []);
    const metric = this.#construct(name, definition, tallies);
    this.#metrics.set(name, { metric, bounds, tallies });
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
    tallies: Tallies | undefined,
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
            for (const tally of tallies?.all ?? []) this.inc(tally.labels, tally.takeSum());
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
        return new Histogram({
          ...options,
          buckets: [...(buckets ?? [])],
          collect() {
            for (const tally of tallies?.all ?? []) tally.addTo(this);
          },
        });
    }
  }
}

/** A counter that starts at 1 would hide its first event from PromQL's `increase`. */
function setToZero(metric: BoundedMetric['metric'], labels: Labels): void {
  if (metric instanceof Counter) metric.inc(labels, 0);
  else if (metric instanceof Gauge) metric.set(labels, 0);
  else metric.zero(labels);
}

/** What prom-client keeps of each label set of a histogram. Its types do not show it, and it has no call that adds many values. */
interface HistogramValues {
  readonly labels: Labels;
  readonly bucketValues: Record<string, number>;
  sum: number;
  count: number;
}

/** What one label set of a counter or a histogram has counted since the last scrape. */
class Tally {
  readonly labels: Labels;
  /** Of a counter the count, of a histogram the sum of its values. */
  sum = 0;
  readonly #upperBounds: readonly number[];
  /** Values by bucket; the last one has no upper bound. */
  readonly #counts: number[];

  constructor(labels: Labels, upperBounds: readonly number[]) {
    this.labels = labels;
    this.#upperBounds = upperBounds;
    this.#counts = [...upperBounds.map(() => 0), 0];
  }

  /** @throws TypeError if the value is no finite number. */
  observe(value: number): void {
    if (!Number.isFinite(value)) throw new TypeError(`${value} cannot be observed`);
    // An iterator would make an object for each bound: a twentieth of a worker's garbage (measured).
    let index = 0;
    while (index < this.#upperBounds.length && value > (this.#upperBounds[index] ?? Infinity))
      index += 1;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.sum += value;
  }

  /** @returns the count of a counter; the tally begins at 0 again. */
  takeSum(): number {
    const { sum } = this;
    this.sum = 0;
    return sum;
  }

  /** Adds what was observed, and begins at 0 again. */
  addTo(histogram: Histogram): void {
    const count = this.#counts.reduce((total, each) => total + each, 0);
    if (count === 0) return;
    const { hashMap } = histogram as unknown as { hashMap: Record<string, HistogramValues> };
    const isOwn = ({ labels }: HistogramValues) =>
      Object.entries(this.labels).every(([name, value]) => labels[name] === value);
    if (!Object.values(hashMap).some(isOwn)) histogram.zero(this.labels);
    const values = Object.values(hashMap).find(isOwn);
    if (values === undefined) throw new Error('prom-client keeps its histograms in another way');
    for (const [index, bound] of this.#upperBounds.entries())
      values.bucketValues[bound] = (values.bucketValues[bound] ?? 0) + (this.#counts[index] ?? 0);
    values.sum += this.takeSum();
    values.count += count;
    this.#counts.fill(0);
  }
}

/** The tallies of one metric. */
class Tallies {
  readonly #bounds: LabelBounds;
  readonly #upperBounds: readonly number[];
  readonly #byLabels = new Map<string, Tally>();
  #last: Tally | undefined;

  constructor(bounds: LabelBounds, upperBounds: readonly number[]) {
    this.#bounds = bounds;
    this.#upperBounds = upperBounds;
  }

  get all(): Iterable<Tally> {
    return this.#byLabels.values();
  }

  /** Most events have the labels of the event before, so these are compared first. */
  of(labels: Labels): Tally {
    const { names } = this.#bounds;
    const last = this.#last;
    if (last !== undefined && haveEqual(names, last.labels, labels)) return last;
    const limited = this.#bounds.limit(labels);
    const key = names.map((name) => limited[name]).join('\n');
    let tally = this.#byLabels.get(key);
    if (tally === undefined) {
      tally = new Tally({ ...limited }, this.#upperBounds);
      this.#byLabels.set(key, tally);
    }
    this.#last = tally;
    return tally;
  }
}

/** A loop without a closure, because it runs for each counted event. */
function haveEqual(names: readonly string[], first: Labels, second: Labels): boolean {
  for (const name of names) if (first[name] !== second[name]) return false;
  return true;
}

/** The label bounds of one metric in one process. */
class LabelBounds {
  readonly names: readonly string[];
  readonly #bounds: readonly (readonly [name: string, bound: Bound])[];

  constructor(definition: MetricDefinition, known: KnownLabels) {
    this.names = Object.keys(definition.labels);
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
