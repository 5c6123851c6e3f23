/** What Prometheus and Alertmanager answer → the alerts that people are shown. Pure; their texts are anybody's. */
import Type, { type Static } from 'typebox';
import { Freshness } from '../cachedSource.ts';

export const Alert = Type.Object({
  name: Type.String(),
  severity: Type.String(),
  summary: Type.String(),
  /** What it is about, such as the queue; empty where it is about the system. */
  subject: Type.String(),
  since: Type.String(),
  runbookUrl: Type.Union([Type.String(), Type.Null()]),
  /** Nobody is told of it; null where they are, or where Alertmanager was not asked. */
  muted: Type.Union([Type.Enum(['silenced', 'inhibited']), Type.Null()]),
});
export type Alert = Static<typeof Alert>;

export const AlertReport = Type.Object({
  freshness: Freshness,
  /** False: Prometheus answers, but the alert that always fires does not, so no alert is evaluated. */
  isEvaluated: Type.Boolean(),
  firing: Type.Array(Alert),
  pending: Type.Array(Alert),
  /** How many more there are than are listed. */
  unlistedCount: Type.Integer(),
});
export type AlertReport = Static<typeof AlertReport>;

export type AlertList = Omit<AlertReport, 'freshness'>;

/** As `/api/v1/alerts` of Prometheus has it. */
export interface PrometheusAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: string;
  readonly activeAt: string;
}

/** As `/api/v2/alerts` of Alertmanager has it. */
export interface ManagedAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: {
    readonly silencedBy: readonly string[];
    readonly inhibitedBy: readonly string[];
  };
}

const WATCHDOG = 'Watchdog';
const SEVERITIES = ['critical', 'warning', 'info'];
const LISTED_COUNT = 50;
const TEXT_CHARS = 300;
/** Labels that say what an alert is about. */
const SUBJECTS = ['queue', 'type', 'job', 'instance', 'reason', 'outcome', 'slo'];

export function listAlerts(
  alerts: readonly PrometheusAlert[],
  managed: readonly ManagedAlert[] = [],
): AlertList {
  const shown = alerts.filter(({ labels }) => labels['alertname'] !== WATCHDOG);
  const listOf = (state: string) =>
    shown
      .filter((alert) => alert.state === state)
      .map((alert) => toAlert(alert, managed))
      .sort(byUrgency);
  const [firing, pending] = [listOf('firing'), listOf('pending')];
  return {
    isEvaluated: shown.length < alerts.length,
    firing: firing.slice(0, LISTED_COUNT),
    pending: pending.slice(0, LISTED_COUNT),
    unlistedCount:
      Math.max(0, firing.length - LISTED_COUNT) + Math.max(0, pending.length - LISTED_COUNT),
  };
}

function toAlert(alert: PrometheusAlert, managed: readonly ManagedAlert[]): Alert {
  const { labels, annotations, activeAt } = alert;
  return {
    name: brief(labels['alertname']),
    severity: brief(labels['severity'] ?? 'none'),
    summary: brief(annotations['summary']),
    subject: brief(SUBJECTS.flatMap((name) => labels[name] ?? []).join(' ')),
    since: activeAt,
    runbookUrl: webAddress(annotations['runbook_url']),
    muted: mutedBy(managed.find((one) => isSame(one.labels, labels))),
  };
}

/** Most urgent first, then the longest. */
function byUrgency(one: Alert, other: Alert): number {
  const rank = ({ severity }: Alert) => (SEVERITIES.indexOf(severity) + SEVERITIES.length + 1) % 4;
  return rank(one) - rank(other) || one.since.localeCompare(other.since);
}

/** Alertmanager may know labels beside those of Prometheus, which are the server's own. */
function isSame(managed: ManagedAlert['labels'], labels: PrometheusAlert['labels']): boolean {
  return Object.entries(labels).every(([name, value]) => managed[name] === value);
}

function mutedBy(managed: ManagedAlert | undefined): Alert['muted'] {
  if (managed === undefined) return null;
  if (managed.status.silencedBy.length > 0) return 'silenced';
  return managed.status.inhibitedBy.length > 0 ? 'inhibited' : null;
}

/** Nothing but the web: a `javascript:` address in a rule must not become a link. */
function webAddress(text: string | undefined): string | null {
  if (text === undefined || !URL.canParse(text)) return null;
  return ['http:', 'https:'].includes(new URL(text).protocol) ? text : null;
}

function brief(text = ''): string {
  return text.length <= TEXT_CHARS ? text : `${text.slice(0, TEXT_CHARS)}…`;
}
