/** What is known of a metric before anything is counted. */

/** A process of FIT that is scraped. */
export type ProcessName = 'monolith' | 'coach' | 'cron';

/** Values that a process knows at its start, from the declaration or its routes. */
export type KnownLabel = 'vhost' | 'queue' | 'mainQueue' | 'waitQueue' | 'type' | 'route';

/** What a label may say: a closed list, what is known at the start, or at most so many values that turn up. */
export type LabelBound =
  | readonly string[]
  | { readonly known: KnownLabel }
  | { readonly atMost: number; readonly of: string };

export type MetricKind = 'counter' | 'gauge' | 'histogram';

export interface MetricDefinition {
  readonly kind: MetricKind;
  /** What one reads at three in the morning: what it counts, and when. */
  readonly help: string;
  /** The base unit; undefined where it counts things or says yes and no. */
  readonly unit?: 'seconds' | 'bytes';
  readonly exportedBy: readonly ProcessName[];
  /** Any value outside its bound is exported as `other`. */
  readonly labels: Readonly<Record<string, LabelBound>>;
  /** Upper bounds, of a histogram. */
  readonly buckets?: readonly number[];
  /** Why its label sets are not all there from the start; undefined: each starts at 0. */
  readonly appearsWhen?: string;
}

/** Where a value outside its label's bound is counted. */
export const OTHER = 'other';

export const SERVICES = ['monolith', 'coach'] as const satisfies readonly ProcessName[];
export const ALL_PROCESSES = [
  'monolith',
  'coach',
  'cron',
] as const satisfies readonly ProcessName[];
