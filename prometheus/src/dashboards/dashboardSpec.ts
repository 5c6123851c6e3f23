/** A dashboard as data: what is asked, what it means and how it is read. Grafana's own format is made from it. */

/** One query of a panel: PromQL, in which `$queue`, `$instance` and Grafana's `$__…` may stand, and the name of its series. */
export interface Query {
  readonly expr: string;
  /** Labels in it, as `{{queue}}`, must be labels of the result. */
  readonly legend: string;
}

/**
 * From where on a value is yellow and red. A critical bound below the warning means that less is worse.
 */
export interface Bounds {
  readonly warning: number;
  readonly critical: number;
}

/** Grafana's ids: seconds, bytes, a share of 1, events per second and per minute, requests per second, a plain number. */
export type Unit = 's' | 'bytes' | 'percentunit' | 'cps' | 'cpm' | 'reqps' | 'short';

export interface PanelSpec {
  /** lines: over time. number: the latest value, large. heat: a histogram over time. table: one row per series, now. */
  readonly kind: 'lines' | 'number' | 'heat' | 'table';
  readonly title: string;
  /** What is seen, and what a bad picture means. Shown when the panel's title is pointed at. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Of 24 columns; default 8, a number 4. */
  readonly width?: number;
  readonly bounds?: Bounds;
  /** Of the axis; default 0. `null` leaves it to the data: what may be negative. */
  readonly min?: null;
  readonly max?: number;
  /** Alerts whose runbooks are linked in the panel's head. */
  readonly runbooks?: readonly string[];
  /** A number's text is the name of its series, for what is a label and no value. */
  readonly showsName?: true;
  /** Lines are parts of one whole. */
  readonly isStacked?: true;
}

export interface RowSpec {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

export interface DashboardSpec {
  /** Fixed, since links go by it; also the file's name. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly RowSpec[];
}

/** What can be chosen above a dashboard besides the data source. */
export type Variable = 'queue' | 'instance';
