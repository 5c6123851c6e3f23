/** Receivers → alertmanager.yml: who is told, and which alert is noise while another fires. */
import { PRODUCTION_WINDOWS, type Windows } from '../rules/windows.ts';
import {
  type AlertReceivers,
  type Receiver,
  SLACK_URL_PATH,
  SMTP_PASSWORD_PATH,
} from './receivers.ts';
import { renderYaml } from './renderYaml.ts';
import { COMPOSE_TARGETS } from './targets.ts';

/**
 * @param folder where Alertmanager sees its configuration; default: under compose.
 * @returns the YAML text of alertmanager.yml.
 */
export function renderAlertmanager(
  receivers: AlertReceivers = {},
  { notification }: Windows = PRODUCTION_WINDOWS,
  folder = COMPOSE_TARGETS.alertmanagerFolder,
): string {
  const { wait, interval, repeat, watchdogInterval, watchdogRepeat } = notification;
  return renderYaml({
    ...globals(receivers, folder),
    route: {
      receiver: 'ticket',
      group_by: ['alertname', 'queue'],
      group_wait: wait,
      group_interval: interval,
      repeat_interval: repeat,
      routes: [
        {
          receiver: 'dead-man',
          matchers: ['alertname="Watchdog"'],
          group_wait: '0s',
          group_interval: watchdogInterval,
          repeat_interval: watchdogRepeat,
        },
        { receiver: 'page', matchers: ['severity="critical"'] },
      ],
    },
    inhibit_rules: INHIBITIONS,
    receivers: [
      receiver('ticket', receivers.ticket),
      receiver('page', receivers.page),
      // Its resolution is no good news; only its absence says something.
      receiver('dead-man', { webhookUrl: receivers.deadManUrl }, false),
    ],
  });
}

const BROKER_IS_DOWN = ['alertname="TargetDown"', 'job=~"rabbitmq.*"'];

/**
 * A label missing on both sides counts as equal. So each rule either has alertname among `equal` or asks its target for
 * a queue or a name; otherwise an alert without a queue would mute every other without one.
 */
const INHIBITIONS = [
  {
    source_matchers: ['severity="critical"'],
    target_matchers: ['severity="warning"'],
    equal: ['alertname', 'vhost', 'queue', 'slo', 'type'],
  },
  { source_matchers: BROKER_IS_DOWN, target_matchers: ['queue=~".+"'] },
  {
    source_matchers: BROKER_IS_DOWN,
    target_matchers: ['alertname=~"BrokerMetricsAbsent|AmqpUnstable|OutboxStale"'],
  },
  {
    // Its queue label is all that the waiting time of jobs has in common with it: processes do not tell the virtual host.
    source_matchers: ['alertname="NoConsumers"'],
    target_matchers: ['alertname=~"QueueStalled|QueueFillingUp|QueueWaitHigh"', 'queue=~".+"'],
    equal: ['queue'],
  },
  {
    source_matchers: ['alertname="BrokerAlarm"'],
    target_matchers: [
      'alertname=~"PublishRejected|BrokerRefusesPublishes|OutboxStale|AmqpUnstable"',
    ],
  },
  {
    // Nothing is settled without the store, so that attempts neither end nor make room.
    source_matchers: ['alertname="StoreDown"'],
    target_matchers: ['alertname=~"OutboxStale|QueueStalled|JobStuck|WorkersSaturated"'],
  },
];

/** amtool and Alertmanager both accept a relative path here; it is opened from wherever the process was started. */
function globals({ mail, slackUrlFile }: AlertReceivers, folder: string): object {
  const { smarthost, from, username, passwordFile } = mail ?? {};
  const global = {
    ...given('smtp_smarthost', smarthost),
    ...given('smtp_from', from),
    ...given('smtp_auth_username', username),
    ...given('smtp_auth_password_file', passwordFile && `${folder}/${SMTP_PASSWORD_PATH}`),
    ...given('slack_api_url_file', slackUrlFile && `${folder}/${SLACK_URL_PATH}`),
  };
  return Object.keys(global).length === 0 ? {} : { global };
}

function receiver(name: string, ways: Receiver = {}, sendResolved = true): object {
  const { webhookUrl, emailTo, slackChannel } = ways;
  const send_resolved = sendResolved;
  return {
    name,
    ...given('webhook_configs', webhookUrl && [{ url: webhookUrl, send_resolved }]),
    ...given('email_configs', emailTo && [{ to: emailTo, send_resolved }]),
    ...given('slack_configs', slackChannel && [slackWay(slackChannel, send_resolved)]),
  };
}

/** In full, since Slack shows nothing of the annotations by itself; e-mail and webhooks carry them all. */
function slackWay(channel: string, send_resolved: boolean): object {
  return {
    channel,
    send_resolved,
    title: '{{ .Status | toUpper }} {{ .CommonLabels.severity }} {{ .GroupLabels.alertname }}',
    text: [
      '{{ range .Alerts }}*{{ .Annotations.summary }}*',
      '{{ .Annotations.description }}',
      'First: {{ .Annotations.remedy }}',
      '{{ .Annotations.runbook_url }}',
      '{{ end }}',
    ].join('\n'),
  };
}

function given(key: string, value: unknown): object {
  return value === undefined || value === '' ? {} : { [key]: value };
}
