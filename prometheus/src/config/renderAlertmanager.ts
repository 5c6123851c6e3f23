/** Receivers → alertmanager.yml: who is told, and which alert is noise while another fires. */
import { PRODUCTION_WINDOWS, type RouteTimes, type Windows } from '../rules/windows.ts';
import { renderYaml } from './renderYaml.ts';

/** Webhook addresses. Without one, alerts of that class are seen on Alertmanager's page only. */
export interface AlertReceivers {
  /** For critical alerts: somebody is woken. */
  readonly pageUrl?: string;
  /** For the rest. */
  readonly ticketUrl?: string;
  /** Gets the Watchdog every minute and raises the alarm itself when it stops. */
  readonly deadManUrl?: string;
}

/** @returns the YAML text of alertmanager.yml. */
export function renderAlertmanager(
  receivers: AlertReceivers = {},
  { routes }: Pick<Windows, 'routes'> = PRODUCTION_WINDOWS,
): string {
  return renderYaml({
    route: {
      receiver: 'ticket',
      group_by: ['alertname', 'queue'],
      ...timesOf(routes.rest),
      routes: [
        { receiver: 'dead-man', matchers: ['alertname="Watchdog"'], ...timesOf(routes.deadMan) },
        { receiver: 'page', matchers: ['severity="critical"'], ...timesOf(routes.urgent) },
        // A forecast is worth the time that it leaves.
        { receiver: 'ticket', matchers: ['alertname="QueueFillingUp"'], ...timesOf(routes.urgent) },
      ],
    },
    inhibit_rules: INHIBITIONS,
    receivers: [
      receiver('ticket', receivers.ticketUrl),
      receiver('page', receivers.pageUrl),
      // Its resolution is no good news; only its absence says something.
      receiver('dead-man', receivers.deadManUrl, false),
    ],
  });
}

function timesOf({ groupWait, groupInterval, repeatInterval }: RouteTimes): object {
  return {
    group_wait: groupWait,
    group_interval: groupInterval,
    repeat_interval: repeatInterval,
  };
}

const BROKER_IS_DOWN = ['alertname="TargetDown"', 'job=~"rabbitmq.*"'];

/**
 * A label missing on both sides counts as equal. So each rule either has alertname among `equal` or asks its target for
 * a queue; otherwise an alert without a queue would mute every other without one.
 */
const INHIBITIONS = [
  {
    source_matchers: ['severity="critical"'],
    target_matchers: ['severity="warning"'],
    equal: ['alertname', 'vhost', 'queue', 'type'],
  },
  { source_matchers: BROKER_IS_DOWN, target_matchers: ['queue=~".+"'] },
  { source_matchers: BROKER_IS_DOWN, target_matchers: ['alertname="BrokerMetricsAbsent"'] },
  {
    source_matchers: ['alertname="NoConsumers"'],
    target_matchers: ['alertname="QueueFillingUp"', 'queue=~".+"'],
    equal: ['vhost', 'queue'],
  },
];

function receiver(name: string, url: string | undefined, sendResolved = true): object {
  if (url === undefined) return { name };
  return { name, webhook_configs: [{ url, send_resolved: sendResolved }] };
}
