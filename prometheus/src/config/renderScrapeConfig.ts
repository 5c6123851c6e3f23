/** Targets → prometheus.yml. */
import { INTERVAL, SCRAPE_TIMEOUT } from './interval.ts';
import type { JobName } from './jobNames.ts';
import { renderYaml } from './renderYaml.ts';
import type { MonitoringTargets, Target } from './targets.ts';

export interface ScrapeOptions {
  readonly targets: MonitoringTargets;
  /** The virtual host whose queues are scraped; default '/'. */
  readonly vhost?: string;
  /** Absent: Alertmanager asks for no password. */
  readonly alertmanagerLogin?: AlertmanagerLogin;
}

/** How Prometheus logs in at Alertmanager, to send alerts and to scrape it. */
export interface AlertmanagerLogin {
  readonly username: string;
  /** As Prometheus sees it. */
  readonly passwordFile: string;
}

/** Relative to prometheus.yml, so that the folder can be mounted or copied anywhere. */
export const RULES_FILE = 'rules/fit.yml';

/** The families that hold depth, consumers and the head's age; each more costs a pass over all queues. */
const QUEUE_FAMILIES = ['queue_coarse_metrics', 'queue_metrics'] as const;

/** How often a name is looked up: a new coach is seen within one scrape or two. */
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
      // Node and global series. Never /metrics/per-object beside it: that counts twice.
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
