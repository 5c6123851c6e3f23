/** A rule as Prometheus reads it. The field names are those of Prometheus, so a rule is rendered by copying it. */

/** critical: the person on call is paged. warning: a ticket for the same day. none: the Watchdog, which always fires. */
export type Severity = 'critical' | 'warning' | 'none';

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long the expression must hold. Absent: the alert fires at the first evaluation. */
  readonly for?: string;
  /** How long the alert outlives its expression. */
  readonly keep_firing_for?: string;
  readonly labels: { readonly severity: Severity } & Readonly<Record<string, string>>;
  readonly annotations: {
    /** One line that names the affected queue or process. */
    readonly summary: string;
    /** What is lost or late because of it. */
    readonly description: string;
    /** What to do first. */
    readonly remedy: string;
    /** Address of the runbook; added when the rules are rendered. */
    readonly runbook_url?: string;
  };
}

export type Rule = RecordingRule | AlertRule;
