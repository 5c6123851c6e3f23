/** Makes the rule file of Prometheus from the plan. No I/O: the same plan gives the same text. */
import type { TopologyPlan } from '@fit/topology';
import { DEFAULT_LINKS } from '../config/links.ts';
import { INTERVAL } from '../config/renderScrapeConfig.ts';
import { renderYaml } from '../config/renderYaml.ts';
import { jobAlerts, jobRecords } from './jobRules.ts';
import { brokerRecords, platformAlerts } from './platformRules.ts';
import { declaredQueues, queueAlerts, queueRecords } from './queueRules.ts';
import type { Rule } from './rule.ts';
import { PRODUCTION_WINDOWS, type Windows } from './windows.ts';

/** The name of the only rule group; unit tests and Prometheus' API use it. */
export const RULE_GROUP = 'fit';

export interface RuleOptions {
  /** The virtual host of the queues; default '/'. */
  readonly vhost?: string;
  /** Default: production. */
  readonly windows?: Windows;
  /** Folder of the runbooks, without a slash at the end; default that of `DEFAULT_LINKS`. */
  readonly runbookBase?: string;
}

/** All rules in the order of evaluation, recordings before the alerts that read them. */
export function listRules(plan: TopologyPlan, options: RuleOptions = {}): readonly Rule[] {
  const { vhost = '/', windows = PRODUCTION_WINDOWS } = options;
  const { runbookBase = DEFAULT_LINKS.runbookBase } = options;
  const alerts = [...queueAlerts(windows), ...jobAlerts(windows), ...platformAlerts(windows)];
  return [
    ...declaredQueues(plan, vhost),
    ...queueRecords(windows),
    ...jobRecords(windows),
    ...brokerRecords(windows),
    ...alerts.map((rule) => ({
      ...rule,
      annotations: { ...rule.annotations, runbook_url: `${runbookBase}/${rule.alert}.md` },
    })),
  ];
}

/**
 * One group, since rules of a group are evaluated in order. Prometheus promises no order across groups, so an alert there might
 * read the previous value of a recording.
 * @returns the YAML text of a Prometheus rule file.
 */
export function renderRules(plan: TopologyPlan, options: RuleOptions = {}): string {
  return renderYaml({
    groups: [{ name: RULE_GROUP, interval: INTERVAL, rules: listRules(plan, options) }],
  });
}
