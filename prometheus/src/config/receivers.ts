/** Who is notified of alerts, from the environment: webhooks, e-mail and Slack, for critical alerts and for warnings. */
import { checkEnvironment, checkedText, type Environment, problemOfHttpUrl } from '@fit/contract';
import Type from 'typebox';

/** The channels of one receiver. */
export interface Receiver {
  readonly webhookUrl?: string | undefined;
  readonly emailTo?: string | undefined;
  readonly slackChannel?: string | undefined;
}

/** Alerts whose receiver has no channel are visible at Alertmanager and on the status page only. */
export interface AlertReceivers {
  /** Critical alerts: the person on call is paged at once. */
  readonly critical?: Receiver;
  /** Warnings: a ticket that somebody handles on the same day. */
  readonly warning?: Receiver;
  /** Gets the Watchdog every minute and raises an alarm of its own when the Watchdog stops. */
  readonly watchdogUrl?: string | undefined;
  readonly mail?: MailServer;
  /** A file that holds the address of Slack's incoming webhook: that address is a secret. */
  readonly slackUrlFile?: string | undefined;
}

export interface MailServer {
  /** The mail server as host:port. */
  readonly smarthost: string | undefined;
  readonly from: string | undefined;
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
}

/** Receivers that cannot be used. */
export class ReceiverError extends Error {
  override readonly name = 'ReceiverError';
  /** One sentence for each wrong variable. */
  readonly findings: readonly string[];

  constructor(findings: readonly string[], options?: ErrorOptions) {
    super(findings.join('; '), options);
    this.findings = findings;
  }
}

const TEXT = Type.Optional(Type.String());
/** The address of a webhook may be a secret, so a finding never shows it. */
const WEBHOOK = Type.Optional(checkedText(problemOfHttpUrl, { show: 'never' }));

const RECEIVER_VARIABLES = Type.Object({
  ALERT_CRITICAL_URL: WEBHOOK,
  ALERT_CRITICAL_EMAIL: TEXT,
  ALERT_CRITICAL_SLACK_CHANNEL: TEXT,
  ALERT_WARNING_URL: WEBHOOK,
  ALERT_WARNING_EMAIL: TEXT,
  ALERT_WARNING_SLACK_CHANNEL: TEXT,
  ALERT_WATCHDOG_URL: WEBHOOK,
  ALERT_SLACK_URL_FILE: TEXT,
  ALERT_SMTP_HOST: TEXT,
  ALERT_SMTP_FROM: TEXT,
  ALERT_SMTP_USERNAME: TEXT,
  ALERT_SMTP_PASSWORD_FILE: TEXT,
});

/** @throws ReceiverError that names every wrong variable. */
export function readReceivers(environment: Environment): AlertReceivers {
  const { value, findings } = checkEnvironment(RECEIVER_VARIABLES, environment);
  const receivers = {
    critical: {
      webhookUrl: value.ALERT_CRITICAL_URL,
      emailTo: value.ALERT_CRITICAL_EMAIL,
      slackChannel: value.ALERT_CRITICAL_SLACK_CHANNEL,
    },
    warning: {
      webhookUrl: value.ALERT_WARNING_URL,
      emailTo: value.ALERT_WARNING_EMAIL,
      slackChannel: value.ALERT_WARNING_SLACK_CHANNEL,
    },
    watchdogUrl: value.ALERT_WATCHDOG_URL,
    slackUrlFile: value.ALERT_SLACK_URL_FILE,
    mail: {
      smarthost: value.ALERT_SMTP_HOST,
      from: value.ALERT_SMTP_FROM,
      username: value.ALERT_SMTP_USERNAME,
      passwordFile: value.ALERT_SMTP_PASSWORD_FILE,
    },
  };
  const all = [...findings, ...missingParts(receivers)];
  if (all.length > 0) throw new ReceiverError(all);
  return receivers;
}

/** Alertmanager refuses a channel without its server, but names its own fields and not the variables. */
function missingParts({
  critical,
  warning,
  mail,
  slackUrlFile,
}: Required<AlertReceivers>): string[] {
  const receivers = [critical, warning];
  const findings: string[] = [];
  if (mail.smarthost !== undefined && !/^[^\s:]+:\d+$/.test(mail.smarthost))
    findings.push(`ALERT_SMTP_HOST='${mail.smarthost}' is not host:port`);
  const hasServer = mail.smarthost !== undefined && mail.from !== undefined;
  if (receivers.some(({ emailTo }) => emailTo !== undefined) && !hasServer)
    findings.push('an e-mail receiver needs ALERT_SMTP_HOST and ALERT_SMTP_FROM');
  const hasSlack = receivers.some(({ slackChannel }) => slackChannel !== undefined);
  if (hasSlack && slackUrlFile === undefined)
    findings.push('a Slack channel needs ALERT_SLACK_URL_FILE');
  return findings;
}
