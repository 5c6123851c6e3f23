/** Plan → rule file. Pure: the same plan gives the same text. */
import type { TopologyPlan } from '@fit/topology';
import { INTERVAL } from '../config/interval.ts';
import { DEFAULT_PAGES } from '../config/pages.ts';
import { renderYaml } from '../config/renderYaml.ts';
import { CRON_ALERTS } from './cronAlerts.ts';
import { JOB_ALERTS } from './jobAlerts.ts';
import { JOB_RECORDS } from './jobRecords.ts';
import { LOSS_ALERTS } from './lossAlerts.ts';
import { PLATFORM_ALERTS } from './platformAlerts.ts';
import { PUBLISH_ALERTS } from './publishAlerts.ts';
import { QUEUE_ALERTS } from './queueAlerts.ts';
import { queueFacts } from './queueFacts.ts';
import { QUEUE_RECORDS } from './queueRecords.ts';
import type { AlertRule, Rule } from './rule.ts';
import { inWindows, PRODUCTION_WINDOWS, type Windows } from './windows.ts';
import { WORKER_ALERTS } from './workerAlerts.ts';

/** The name of the one group, which unit tests and the API know it by. */
export const RULE_GROUP = 'fit';

export interface RuleOptions {
  /** The virtual host whose queues are meant; default '/'. */
  readonly vhost?: string;
  /** Default: production. */
  readonly windows?: Windows;
  /** Without a slash at the end; default that of `DEFAULT_PAGES`. */
  readonly runbookBase?: string;
}

/**
 * One group: rules in it are evaluated in order, while across groups no order is promised and an alert might read
 * yesterday's recording.
 */
export function rulesOf(plan: TopologyPlan, options: RuleOptions = {}): readonly Rule[] {
  const { vhost = '/', windows = PRODUCTION_WINDOWS } = options;
  const { runbookBase = DEFAULT_PAGES.runbookBase } = options;
  const alerts = [
    ...QUEUE_ALERTS,
    ...PUBLISH_ALERTS,
    ...LOSS_ALERTS,
    ...JOB_ALERTS,
    ...WORKER_ALERTS,
    ...CRON_ALERTS,
    ...PLATFORM_ALERTS,
  ].map((rule) => withRunbook(rule, runbookBase));
  const records = [...queueFacts(plan, vhost), ...QUEUE_RECORDS, ...JOB_RECORDS];
  return [...records, ...alerts].map((rule) => inWindows(rule, windows));
}

function withRunbook(rule: AlertRule, base: string): AlertRule {
  const { alert, annotations } = rule;
  return { ...rule, annotations: { ...annotations, runbook_url: `${base}/${alert}.md` } };
}

/** @returns the YAML text of a Prometheus rule file. */
export function renderRules(plan: TopologyPlan, options: RuleOptions = {}): string {
  return renderYaml({
    groups: [{ name: RULE_GROUP, interval: INTERVAL, rules: rulesOf(plan, options) }],
  });
}
