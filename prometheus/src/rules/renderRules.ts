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

/** The name of the one group, which unit tests and the API know it by. */
export const RULE_GROUP = 'fit';

/**
 * One group: rules in it are evaluated in order, while across groups no order is promised and an alert might read
 * yesterday's recording.
 */
export function rulesOf(plan: TopologyPlan, vhost = '/'): readonly Rule[] {
  return [
    ...queueFacts(plan, vhost),
    ...QUEUE_RECORDS,
    ...QUEUE_ALERTS,
    ...JOB_ALERTS,
    ...PLATFORM_ALERTS,
  ];
}

/**
 * @param vhost the virtual host whose queues are meant; default '/'.
 * @returns the YAML text of a Prometheus rule file.
 */
export function renderRules(plan: TopologyPlan, vhost = '/'): string {
  return renderYaml({
    groups: [{ name: RULE_GROUP, interval: INTERVAL, rules: rulesOf(plan, vhost) }],
  });
}
