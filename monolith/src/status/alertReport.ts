/** The alerts of the status: which Prometheus reports as firing or pending, and what Alertmanager suppresses. */
import Type, { type Static } from 'typebox';
import { Freshness } from '../cachedSource.ts';

export const Alert = Type.Object({
  name: Type.String(),
  severity: Type.String(),
  summary: Type.String(),
  /** What the alert is about, such as a queue; empty if it is about the whole system. */
  subject: Type.String(),
  since: Type.String(),
  runbookUrl: Type.Union([Type.String(), Type.Null()]),
  /** Why Alertmanager sends no notification; null if it sends one, or if it was not requested. */
  suppression: Type.Union([Type.Enum(['silenced', 'inhibited']), Type.Null()]),
});
export type Alert = Static<typeof Alert>;

export const AlertReport = Type.Object({
  freshness: Freshness,
  /** False: Prometheus answers without the alert that always fires, so its rules are not evaluated. */
  isEvaluated: Type.Boolean(),
  /** Alertmanager, which notifies people. silent: it does not answer, so it is not known what it suppresses. none: it is not configured. */
  notifier: Type.Enum(['answers', 'silent', 'none']),
  firing: Type.Array(Alert),
  pending: Type.Array(Alert),
  /** Alerts beyond those that are listed. */
  unlistedCount: Type.Integer(),
});
export type AlertReport = Static<typeof AlertReport>;

export type AlertList = Omit<AlertReport, 'freshness'>;

/** The servers that are read. A URL may hold user and password, for servers that require them. */
export interface AlertSources {
  readonly prometheusUrl: string;
  /** Undefined: no alert counts as suppressed. */
  readonly alertmanagerUrl: string | undefined;
}

/** An alert as `/api/v1/alerts` of Prometheus describes it. */
export interface PrometheusAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: string;
  readonly activeAt: string;
}

/** An alert as `/api/v2/alerts` of Alertmanager describes it. */
export interface ManagedAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: {
    readonly silencedBy: readonly string[];
    readonly inhibitedBy: readonly string[];
  };
}

const REQUEST_TIMEOUT_MS = 2_000;
const WATCHDOG = 'Watchdog';
/** Most urgent first; any other severity follows them. */
const SEVERITIES = ['critical', 'warning'];
const LISTED_COUNT = 50;
const TEXT_LENGTH = 300;
/** The labels that name the subject of an alert. */
const SUBJECT_LABELS = ['queue', 'how', 'resource', 'kind', 'job', 'instance', 'cause', 'outcome'];

/** @throws Error if Prometheus does not answer: then it is unknown what fires, which is not the same as nothing. */
export async function readAlerts(sources: AlertSources): Promise<AlertList> {
  const { prometheusUrl, alertmanagerUrl } = sources;
  const [alerts, managed] = await Promise.all([
    readPrometheus(prometheusUrl),
    alertmanagerUrl === undefined ? undefined : readAlertmanager(alertmanagerUrl),
  ]);
  return listAlerts(alerts, managed, alertmanagerUrl === undefined ? 'none' : undefined);
}

/** No I/O. The texts of alerts are not trusted: they are cut to a length, and their links must lead to the web. */
export function listAlerts(
  alerts: readonly PrometheusAlert[],
  managed?: readonly ManagedAlert[],
  notifier: AlertReport['notifier'] = managed === undefined ? 'silent' : 'answers',
): AlertList {
  const others = alerts.filter(({ labels }) => labels['alertname'] !== WATCHDOG);
  const inState = (state: string) =>
    others
      .filter((alert) => alert.state === state)
      .map((alert) => toAlert(alert, managed ?? []))
      .sort(byUrgency);
  const firing = inState('firing');
  const pending = inState('pending');
  return {
    isEvaluated: others.length < alerts.length,
    notifier,
    firing: firing.slice(0, LISTED_COUNT),
    pending: pending.slice(0, LISTED_COUNT),
    unlistedCount:
      Math.max(0, firing.length - LISTED_COUNT) + Math.max(0, pending.length - LISTED_COUNT),
  };
}

async function readPrometheus(url: string): Promise<PrometheusAlert[]> {
  const { data } = (await getJson('Prometheus', url, 'api/v1/alerts')) as {
    data: { alerts: PrometheusAlert[] };
  };
  return data.alerts;
}

/** If Alertmanager does not answer, alerts are shown as not suppressed: a silence must never hide one by mistake. */
async function readAlertmanager(url: string): Promise<ManagedAlert[] | undefined> {
  try {
    return (await getJson('Alertmanager', url, 'api/v2/alerts')) as ManagedAlert[];
  } catch {
    return undefined;
  }
}

async function getJson(server: string, url: string, path: string): Promise<unknown> {
  const base = new URL(url.endsWith('/') ? url : `${url}/`);
  const headers = authorizationOf(base);
  // fetch refuses a URL that holds user and password.
  base.username = '';
  base.password = '';
  let response: Response;
  try {
    response = await fetch(new URL(path, base), {
      headers,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
  } catch (error) {
    throw new Error(`${server} at ${base.host} does not answer`, { cause: error });
  }
  if (!response.ok) throw new Error(`${server} at ${base.host} answers ${response.status}`);
  return await response.json();
}

function authorizationOf({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
}

function toAlert(alert: PrometheusAlert, managed: readonly ManagedAlert[]): Alert {
  const { labels, annotations, activeAt } = alert;
  return {
    name: shortened(labels['alertname']),
    severity: shortened(labels['severity'] ?? 'none'),
    summary: shortened(annotations['summary']),
    subject: shortened(SUBJECT_LABELS.flatMap((name) => labels[name] ?? []).join(' ')),
    since: activeAt,
    runbookUrl: webUrl(annotations['runbook_url']),
    suppression: suppressionOf(managed.find((other) => isSame(other.labels, labels))),
  };
}

/** The most urgent first; of the same severity, the one that fires longest. */
function byUrgency(one: Alert, other: Alert): number {
  const rank = ({ severity }: Alert) => {
    const index = SEVERITIES.indexOf(severity);
    return index === -1 ? SEVERITIES.length : index;
  };
  return rank(one) - rank(other) || one.since.localeCompare(other.since);
}

/** Alertmanager may have labels that Prometheus does not report, since Prometheus adds those of the server when it sends. */
function isSame(managed: ManagedAlert['labels'], labels: PrometheusAlert['labels']): boolean {
  return Object.entries(labels).every(([name, value]) => managed[name] === value);
}

function suppressionOf(managed: ManagedAlert | undefined): Alert['suppression'] {
  if (managed === undefined) return null;
  if (managed.status.silencedBy.length > 0) return 'silenced';
  return managed.status.inhibitedBy.length > 0 ? 'inhibited' : null;
}

/** A `javascript:` address in a rule must not become a link on the page. */
function webUrl(text: string | undefined): string | null {
  if (text === undefined || !URL.canParse(text)) return null;
  return ['http:', 'https:'].includes(new URL(text).protocol) ? text : null;
}

function shortened(text = ''): string {
  return text.length <= TEXT_LENGTH ? text : `${text.slice(0, TEXT_LENGTH)}…`;
}
