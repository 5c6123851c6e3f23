/** Declaration and targets → every file of a monitoring folder, as text. Pure. */
import { type Declaration, planTopology } from '@fit/topology';
import type { AlertReceivers } from '../config/receivers.ts';
import { renderAlertmanager } from '../config/renderAlertmanager.ts';
import {
  type AlertmanagerLogin,
  RULES_FILE,
  renderScrapeConfig,
} from '../config/renderScrapeConfig.ts';
import type { MonitoringTargets } from '../config/targets.ts';
import { type RuleOptions, renderRules } from '../rules/renderRules.ts';

export interface MonitoringOptions extends RuleOptions {
  readonly declaration: Declaration;
  readonly targets: MonitoringTargets;
  /** Default: none, alerts are seen on Alertmanager's page. */
  readonly receivers?: AlertReceivers;
  /** Absent: Alertmanager asks for no password. */
  readonly alertmanagerLogin?: AlertmanagerLogin;
}

/** Names, roles, limits and times are alike on every broker; only arguments and policies depend on its version. */
const ANY_BROKER = { version: '4.3.6', hasManagement: true } as const;

/** @returns text by path relative to the folder. */
export function renderMonitoringConfig(options: MonitoringOptions): ReadonlyMap<string, string> {
  const { targets, vhost = '/', alertmanagerLogin } = options;
  return new Map([
    [
      'prometheus.yml',
      renderScrapeConfig({
        targets,
        vhost,
        ...(alertmanagerLogin === undefined ? {} : { alertmanagerLogin }),
      }),
    ],
    [RULES_FILE, renderRules(planTopology(options.declaration, ANY_BROKER), options)],
    [
      'alertmanager.yml',
      renderAlertmanager(options.receivers, options.windows, targets.alertmanagerFolder),
    ],
  ]);
}
