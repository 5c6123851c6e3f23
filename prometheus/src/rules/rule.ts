/** A rule as Prometheus reads it: the field names are its own, so that rendering is copying. */

/** Somebody is woken; somebody looks today; nobody is told but the page shows it; the Watchdog. */
export type Severity = 'critical' | 'warning' | 'info' | 'none';

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long the expression must hold. Absent: fires at the first evaluation. */
  readonly for?: string;
  /** How long the alert outlives its expression, so that a value on the edge does not flap. */
  readonly keep_firing_for?: string;
  readonly labels: { readonly severity: Severity } & Readonly<Record<string, string>>;
  readonly annotations: {
    /** One line, with the thing that is affected. */
    readonly summary: string;
    /** What it means: what is lost or late. */
    readonly description: string;
    /** What to do first. */
    readonly remedy: string;
    /** Set when rendered: what to do at three in the morning. */
    readonly runbook_url?: string;
  };
}

export type Rule = RecordingRule | AlertRule;
