/** A rule as Prometheus reads it: the field names are its own, so that rendering is copying. */
import type { Hold } from './windows.ts';

/** critical: somebody is woken. warning: a ticket. info: to be known. none: the Watchdog. */
export type Severity = 'critical' | 'warning' | 'info' | 'none';

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** @typeParam Time a name in the table of windows where the rule is written, any duration once it is rendered. */
export interface AlertRule<Time extends string = Hold> {
  readonly alert: string;
  readonly expr: string;
  /** How long the expression must hold. Absent: fires at the first evaluation. */
  readonly for?: Time;
  /** How long the alert outlives its expression, so that a value on the edge does not flap. */
  readonly keep_firing_for?: Time;
  readonly labels: {
    readonly severity: Severity;
    /** Which of two windows burnt, where one name has several; and what is burnt. */
    readonly window?: string;
    readonly slo?: string;
  };
  readonly annotations: {
    /** One line, with the thing that is affected. */
    readonly summary: string;
    /** What it means: what is lost or late. */
    readonly description: string;
    /** What to do first. */
    readonly remedy: string;
    /** Set when rendered: the same folder for all. */
    readonly runbook_url?: string;
  };
}

export type Rule<Time extends string = Hold> = RecordingRule | AlertRule<Time>;
