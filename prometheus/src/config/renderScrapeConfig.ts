/** Makes prometheus.yml: what is scraped, how often, and where alerts are sent. */
import { renderYaml } from './renderYaml.ts';
import type { JobName, MonitoringTargets, Target } from './targets.ts';

/** Interval of scrapes and of rule evaluation; equal to the broker's `collect_statistics_interval`, since its gauges are no newer. */
export const INTERVAL = '5s';

/** Below the interval, or Prometheus refuses the configuration. A target that hangs costs one sample. */
const SCRAPE_TIMEOUT = '4s';

export interface ScrapeOptions {
  readonly targets: MonitoringTargets;
  /** The virtual host whose queues are scraped; default '/'. */
  readonly vhost?: string;
  /** Absent: Alertmanager requires no password. */
  readonly alertmanagerLogin?: AlertmanagerLogin;
}

/** With it Prometheus sends alerts to Alertmanager and scrapes it. */
export interface AlertmanagerLogin {
  readonly username: string;
  /** The path as Prometheus sees it. */
  readonly passwordFile: string;
}

/** Relative to prometheus.yml, so that the folder can be mounted or copied anywhere. */
export const RULES_FILE = 'rules/fit.yml';

/** The families of metrics with depth and consumers; each further family costs the broker a pass over all queues. */
const QUEUE_FAMILIES = ['queue_coarse_metrics', 'queue_metrics'] as const;

/** How often a DNS name is resolved: a new coach is scraped within two intervals. */
const DNS_REFRESH = '10s';

/** @returns the YAML text of prometheus.yml. */
export function renderScrapeConfig({
  targets,
  vhost = '/',
  alertmanagerLogin,
}: ScrapeOptions): string {
  const login = loginOf(alertmanagerLogin);
  return renderYaml({
    global: {
      scrape_interval: INTERVAL,
      scrape_timeout: SCRAPE_TIMEOUT,
      evaluation_interval: INTERVAL,
    },
    rule_files: [RULES_FILE],
    alerting: { alertmanagers: [{ ...login, ...discovery(targets.alertmanager) }] },
    scrape_configs: [
      // Metrics of the node and of all queues together. /metrics/per-object beside it would count everything twice.
      job('rabbitmq', targets.broker),
      job('rabbitmq-queues', targets.broker, {
        metrics_path: '/metrics/detailed',
        params: { vhost: [vhost], family: [...QUEUE_FAMILIES] },
      }),
      job('monolith', targets.monolith),
      job('coach', targets.coach),
      job('prometheus', targets.prometheus),
      job('alertmanager', targets.alertmanager, login),
      ...(targets.cron === undefined ? [] : [job('cron', targets.cron)]),
    ],
  });
}

function loginOf(login: AlertmanagerLogin | undefined): object {
  if (login === undefined) return {};
  return { basic_auth: { username: login.username, password_file: login.passwordFile } };
}

function job(name: JobName, target: Target, extra: object = {}): object {
  return { job_name: name, ...extra, ...discovery(target) };
}

function discovery(target: Target): object {
  if ('addresses' in target) return { static_configs: [{ targets: [...target.addresses] }] };
  const { dnsName, port } = target;
  return {
    dns_sd_configs: [{ names: [dnsName], type: 'A', port, refresh_interval: DNS_REFRESH }],
  };
}
