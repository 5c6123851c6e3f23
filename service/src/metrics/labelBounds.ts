/** Keeps every label within its bound, and says which label sets are known before anything happened. Pure but for memory. */
import { type KnownLabel, type LabelBound, type MetricDefinition, OTHER } from './definition.ts';

/** What this process knows at its start. */
export type KnownLabels = Readonly<Partial<Record<KnownLabel, readonly string[]>>>;

type Labels = Readonly<Record<string, string>>;

/** The bounds of one metric in one process. */
export class LabelBounds {
  readonly #bounds: readonly (readonly [name: string, bound: Bound])[];

  constructor(definition: MetricDefinition, known: KnownLabels) {
    this.#bounds = Object.entries(definition.labels).map(([name, bound]) => [
      name,
      boundOf(bound, known),
    ]);
  }

  /** @returns the labels, each value outside its bound as `other`. */
  within(labels: Labels): Labels {
    let bounded = labels;
    for (const [name, bound] of this.#bounds) {
      const value = labels[name] ?? OTHER;
      if (!bound.admits(value)) bounded = { ...bounded, [name]: OTHER };
    }
    return bounded;
  }

  /** @returns every label set that is possible by what is known; for an open label `other` alone. */
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

/** First come, first named: what turns up after the bound is reached has no name of its own. */
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
