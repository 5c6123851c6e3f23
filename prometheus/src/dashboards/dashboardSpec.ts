/** A dashboard as data. `renderDashboards.ts` makes Grafana's format from it. */

export interface DashboardSpec {
  /** Fixed, since links use it; also the name of the file. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly RowSpec[];
}

/** What a reader can select above a dashboard, besides the data source. */
export type Variable = 'queue' | 'instance';

export interface RowSpec {
  /** The heading of a row: a question that its panels answer. */
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

export interface PanelSpec {
  /** lines: over time. number: the latest value, large. heat: a histogram over time. table: one row per series, now. */
  readonly kind: 'lines' | 'number' | 'heat' | 'table';
  readonly title: string;
  /** What the panel shows and what a bad value means; the help text of the panel. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Width in columns; a dashboard has 24. Default: 8, and 4 for a panel of kind `number`. */
  readonly width?: number;
  readonly bounds?: Bounds;
  /** Minimum of the axis; default 0. `null` leaves it to the data, for values that may be negative. */
  readonly min?: null;
  readonly max?: number;
  /** Alerts whose runbooks the panel links to. */
  readonly runbooks?: readonly string[];
  /** A number shows the name of its series, for information that is a label and no value. */
  readonly showsName?: true;
  /** Lines are stacked: parts of one whole. */
  readonly isStacked?: true;
}

/** Names of Grafana: seconds, bytes, a share of 1, events per second and per minute, requests per second, a plain number. */
export type Unit = 's' | 'bytes' | 'percentunit' | 'cps' | 'cpm' | 'reqps' | 'short';

export interface Query {
  /** PromQL that may contain `$queue`, `$instance` and the `$__…` variables of Grafana. */
  readonly expr: string;
  /** Name of its series. Labels in it, such as `{{queue}}`, must be labels of the result. */
  readonly legend: string;
}

/** The values from which on a panel is yellow and red. A critical bound below the warning means that less is worse. */
export interface Bounds {
  readonly warning: number;
  readonly critical: number;
}
