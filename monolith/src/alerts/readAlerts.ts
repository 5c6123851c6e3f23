/** Asks Prometheus what fires, and Alertmanager, where it is named, what is muted. */
import {
  type AlertList,
  listAlerts,
  type ManagedAlert,
  type PrometheusAlert,
} from './alertReport.ts';

/** URLs may hold user and password, for servers that ask for them. */
export interface AlertSources {
  readonly prometheusUrl: string;
  /** Undefined: nobody is asked what is muted. */
  readonly alertmanagerUrl: string | undefined;
}

const DEADLINE_MS = 2_000;

/** @throws Error where Prometheus does not answer: then nothing is known, and that is no good news. */
export async function readAlerts(sources: AlertSources): Promise<AlertList> {
  const [alerts, managed] = await Promise.all([
    readPrometheus(sources.prometheusUrl),
    readAlertmanager(sources.alertmanagerUrl),
  ]);
  return listAlerts(alerts, managed);
}

async function readPrometheus(url: string): Promise<PrometheusAlert[]> {
  const { data } = (await ask('Prometheus', url, 'api/v1/alerts')) as {
    data: { alerts: PrometheusAlert[] };
  };
  return data.alerts;
}

/** Without it alerts are shown as if nobody had muted them. */
async function readAlertmanager(url: string | undefined): Promise<ManagedAlert[]> {
  if (url === undefined) return [];
  try {
    return (await ask('Alertmanager', url, 'api/v2/alerts')) as ManagedAlert[];
  } catch {
    return [];
  }
}

async function ask(name: string, url: string, path: string): Promise<unknown> {
  const base = new URL(url.endsWith('/') ? url : `${url}/`);
  const headers = authorizationOf(base);
  // fetch refuses a URL with a login.
  Object.assign(base, { username: '', password: '' });
  let response: Response;
  try {
    response = await fetch(new URL(path, base), {
      headers,
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch (error) {
    throw new Error(`${name} at ${base.host} does not answer`, { cause: error });
  }
  if (!response.ok) throw new Error(`${name} answers ${response.status}`);
  return await response.json();
}

function authorizationOf({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
}
