/** Plan → rule file. Pure: the same plan gives the same text. */
import type { TopologyPlan } from '@fit/topology';
import { INTERVAL } from '../config/interval.ts';
import { renderYaml } from '../config/renderYaml.ts';
import { JOB_ALERTS } from './jobAlerts.ts';
import { PLATFORM_ALERTS } from './platformAlerts.ts';
import { QUEUE_ALERTS } from './queueAlerts.ts';
import { queueFacts } from './queueFacts.ts';
import { QUEUE_RECORDS } from './queueRecords.ts';
import type { Rule } from './rule.ts';
import { PRODUCTION_WINDOWS, type Windows } from './windows.ts';
import { withWindows } from './withWindows.ts';

/** The name of the one group, which unit tests and the API know it by. */
export const RULE_GROUP = 'fit';

/** Where the runbooks can be read by whoever is woken. */
export const RUNBOOK_BASE = 'https://github.com/fit/fit/blob/main/prometheus/runbooks';

export interface RuleOptions {
  /** The virtual host whose queues are meant; default '/'. */
  readonly vhost?: string;
  /** Default: those of production. */
  readonly windows?: Windows;
  /** Address of the folder of runbooks, without a slash at its end; default `RUNBOOK_BASE`. */
  readonly runbookBase?: string;
}

/**
 * One group: rules in it are evaluated in order, while across groups no order is promised and an alert might read
 * yesterday's recording.
 */
export function rulesOf(plan: TopologyPlan, options: RuleOptions = {}): readonly Rule<string>[] {
  const { vhost = '/', windows = PRODUCTION_WINDOWS, runbookBase = RUNBOOK_BASE } = options;
  const rules: readonly Rule[] = [
    ...queueFacts(plan, vhost),
    ...QUEUE_RECORDS,
    ...QUEUE_ALERTS,
    ...JOB_ALERTS,
    ...PLATFORM_ALERTS,
  ];
  return rules.map((rule) => withRunbook(withWindows(rule, windows), runbookBase));
}

/** @returns the YAML text of a Prometheus rule file. */
export function renderRules(plan: TopologyPlan, options: RuleOptions = {}): string {
  return renderYaml({
    groups: [{ name: RULE_GROUP, interval: INTERVAL, rules: rulesOf(plan, options) }],
  });
}

function withRunbook(rule: Rule<string>, base: string): Rule<string> {
  if ('record' in rule) return rule;
  const runbook_url = `${base}/${rule.alert}.md`;
  return { ...rule, annotations: { ...rule.annotations, runbook_url } };
}
