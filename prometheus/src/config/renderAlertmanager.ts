/** Makes alertmanager.yml: who is notified, and which alert is only a consequence of another one that fires. */
import { PRODUCTION_WINDOWS, type Windows } from '../rules/windows.ts';
import type { AlertReceivers, Receiver } from './receivers.ts';
import { renderYaml } from './renderYaml.ts';
import { COMPOSE_TARGETS } from './targets.ts';

/** Where the copies of secrets are, relative to alertmanager.yml. */
export const SLACK_URL_PATH = 'secrets/slack-url';
export const SMTP_PASSWORD_PATH = 'secrets/smtp-password';

/**
 * @param folder the folder of the configuration as Alertmanager sees it; default: under compose.
 * @returns the YAML text of alertmanager.yml.
 */
export function renderAlertmanager(
  receivers: AlertReceivers = {},
  { notification }: Windows = PRODUCTION_WINDOWS,
  folder = COMPOSE_TARGETS.alertmanagerFolder,
): string {
  const { wait, interval, repeat, watchdogInterval, watchdogRepeat } = notification;
  return renderYaml({
    ...globalSettings(receivers, folder),
    route: {
      receiver: 'warning',
      group_by: ['alertname', 'queue'],
      group_wait: wait,
      group_interval: interval,
      repeat_interval: repeat,
      routes: [
        {
          receiver: 'watchdog',
          matchers: ['alertname="Watchdog"'],
          group_wait: '0s',
          group_interval: watchdogInterval,
          repeat_interval: watchdogRepeat,
        },
        { receiver: 'critical', matchers: ['severity="critical"'] },
      ],
    },
    inhibit_rules: INHIBITIONS,
    receivers: [
      renderReceiver('warning', receivers.warning),
      renderReceiver('critical', receivers.critical),
      // Without resolved messages: only the absence of the Watchdog has a meaning.
      renderReceiver('watchdog', { webhookUrl: receivers.watchdogUrl }, false),
    ],
  });
}

/** A broker that answers without queues (`how`) mutes nothing: the other alerts say what it lacks. */
const BROKER_IS_DOWN = ['alertname="TargetDown"', 'job=~"rabbitmq.*"', 'how=""'];
const NO_COACH = ['alertname="NoConsumers"', 'severity="critical"'];
const NO_PROGRESS = ['alertname=~"OutboxStalled|BacklogTooLong"'];

/**
 * Alertmanager takes a label that is missing on both sides as equal. So each rule has alertname among `equal`, or requires that its
 * target has a queue or a name; otherwise an alert without a queue would mute every other one without a queue.
 */
const INHIBITIONS = [
  {
    source_matchers: ['severity="critical"'],
    target_matchers: ['severity="warning"'],
    equal: ['alertname', 'vhost', 'queue', 'how', 'resource'],
  },
  { source_matchers: BROKER_IS_DOWN, target_matchers: ['queue=~".+"'] },
  { source_matchers: BROKER_IS_DOWN, target_matchers: NO_PROGRESS },
  {
    source_matchers: NO_COACH,
    target_matchers: ['alertname="QueueStalled"', 'queue=~".+"'],
    equal: ['queue'],
  },
  { source_matchers: NO_COACH, target_matchers: NO_PROGRESS },
  { source_matchers: ['alertname="QueuePaused"'], target_matchers: NO_PROGRESS },
  {
    source_matchers: ['alertname="QueueStalled"', 'severity="critical"'],
    target_matchers: NO_PROGRESS,
  },
  {
    source_matchers: ['alertname="BrokerAlarm"', 'severity="critical"'],
    target_matchers: NO_PROGRESS,
  },
  {
    // Without the database no result is stored, so attempts neither end nor free capacity.
    source_matchers: ['alertname="StoreDown"'],
    target_matchers: ['alertname=~"OutboxStalled|BacklogTooLong|QueueStalled"'],
  },
];

/** Secrets have absolute paths: Alertmanager opens a relative path from the folder in which it was started. */
function globalSettings({ mail, slackUrlFile }: AlertReceivers, folder: string): object {
  const { smarthost, from, username, passwordFile } = mail ?? {};
  const global = {
    ...optional('smtp_smarthost', smarthost),
    ...optional('smtp_from', from),
    ...optional('smtp_auth_username', username),
    ...optional('smtp_auth_password_file', passwordFile && `${folder}/${SMTP_PASSWORD_PATH}`),
    ...optional('slack_api_url_file', slackUrlFile && `${folder}/${SLACK_URL_PATH}`),
  };
  return Object.keys(global).length === 0 ? {} : { global };
}

function renderReceiver(name: string, receiver: Receiver = {}, sendResolved = true): object {
  const { webhookUrl, emailTo, slackChannel } = receiver;
  const send_resolved = sendResolved;
  return {
    name,
    ...optional('webhook_configs', webhookUrl && [{ url: webhookUrl, send_resolved }]),
    ...optional('email_configs', emailTo && [{ to: emailTo, send_resolved }]),
    ...optional('slack_configs', slackChannel && [slackConfig(slackChannel, send_resolved)]),
  };
}

/** Slack shows no annotations by itself; e-mail and webhooks carry all of them. */
function slackConfig(channel: string, send_resolved: boolean): object {
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

function optional(key: string, value: unknown): object {
  return value === undefined || value === '' ? {} : { [key]: value };
}
