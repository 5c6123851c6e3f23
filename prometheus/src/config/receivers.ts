/** Who is told, from the environment: webhooks, e-mail, Slack, each for pages and for tickets. */
import { checkEnvironment, checkedText, type Environment, problemOfHttpUrl } from '@fit/contract';
import Type from 'typebox';

/** Ways to one kind of person. */
export interface Receiver {
  readonly webhookUrl?: string | undefined;
  readonly emailTo?: string | undefined;
  readonly slackChannel?: string | undefined;
}

/** Without any way, alerts of that class are seen on Alertmanager's page only. */
export interface AlertReceivers {
  /** For critical alerts: somebody is woken. */
  readonly page?: Receiver;
  /** For the rest. */
  readonly ticket?: Receiver;
  /** Gets the Watchdog every minute and raises the alarm itself when it stops. */
  readonly deadManUrl?: string | undefined;
  readonly mail?: MailServer;
  /** A file that holds Slack's incoming webhook: the address is the secret. */
  readonly slackUrlFile?: string | undefined;
}

export interface MailServer {
  /** host:port. */
  readonly smarthost: string | undefined;
  readonly from: string | undefined;
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
}

/** What cannot be told to anybody. */
export class ReceiverError extends Error {
  override readonly name = 'ReceiverError';
  /** One sentence for each variable at fault. */
  readonly findings: readonly string[];

  constructor(findings: readonly string[], options?: ErrorOptions) {
    super(findings.join('; '), options);
    this.findings = findings;
  }
}

/** A file of the host, and where a rendition has its copy, relative to alertmanager.yml. */
export interface SecretFile {
  readonly variable: string;
  readonly source: string;
  readonly path: string;
}

/** Below the configuration's folder, which the native stack copies and compose mounts. */
export const SLACK_URL_PATH = 'secrets/slack-url';
export const SMTP_PASSWORD_PATH = 'secrets/smtp-password';

/** @returns what must be copied beside the configuration. */
export function secretFiles({ slackUrlFile, mail }: AlertReceivers): readonly SecretFile[] {
  return [
    { variable: 'ALERT_SLACK_URL_FILE', source: slackUrlFile, path: SLACK_URL_PATH },
    { variable: 'ALERT_SMTP_PASSWORD_FILE', source: mail?.passwordFile, path: SMTP_PASSWORD_PATH },
  ].flatMap(({ source, ...place }) => (source === undefined ? [] : [{ ...place, source }]));
}

const TEXT = Type.Optional(Type.String());
/** Whoever knows the address of a webhook may call it, so that a finding does not show it. */
const WEBHOOK = Type.Optional(checkedText(problemOfHttpUrl, { show: 'never' }));

const RECEIVER_VARIABLES = Type.Object({
  ALERT_PAGE_URL: WEBHOOK,
  ALERT_PAGE_EMAIL: TEXT,
  ALERT_PAGE_SLACK_CHANNEL: TEXT,
  ALERT_TICKET_URL: WEBHOOK,
  ALERT_TICKET_EMAIL: TEXT,
  ALERT_TICKET_SLACK_CHANNEL: TEXT,
  ALERT_DEAD_MAN_URL: WEBHOOK,
  ALERT_SLACK_URL_FILE: TEXT,
  ALERT_SMTP_HOST: TEXT,
  ALERT_SMTP_FROM: TEXT,
  ALERT_SMTP_USERNAME: TEXT,
  ALERT_SMTP_PASSWORD_FILE: TEXT,
});

/** @throws ReceiverError naming every variable at fault. */
export function readReceivers(environment: Environment): AlertReceivers {
  const { value, findings } = checkEnvironment(RECEIVER_VARIABLES, environment);
  const receivers = {
    page: {
      webhookUrl: value.ALERT_PAGE_URL,
      emailTo: value.ALERT_PAGE_EMAIL,
      slackChannel: value.ALERT_PAGE_SLACK_CHANNEL,
    },
    ticket: {
      webhookUrl: value.ALERT_TICKET_URL,
      emailTo: value.ALERT_TICKET_EMAIL,
      slackChannel: value.ALERT_TICKET_SLACK_CHANNEL,
    },
    deadManUrl: value.ALERT_DEAD_MAN_URL,
    slackUrlFile: value.ALERT_SLACK_URL_FILE,
    mail: {
      smarthost: value.ALERT_SMTP_HOST,
      from: value.ALERT_SMTP_FROM,
      username: value.ALERT_SMTP_USERNAME,
      passwordFile: value.ALERT_SMTP_PASSWORD_FILE,
    },
  };
  const all = [...findings, ...gapsOf(receivers)];
  if (all.length > 0) throw new ReceiverError(all);
  return receivers;
}

/** Alertmanager refuses a way to somebody without its server; told here by the names of the variables. */
function gapsOf({ page, ticket, mail, slackUrlFile }: Required<AlertReceivers>): string[] {
  const ways = [page, ticket];
  const gaps: string[] = [];
  if (mail.smarthost !== undefined && !/^[^\s:]+:\d+$/.test(mail.smarthost))
    gaps.push(`ALERT_SMTP_HOST='${mail.smarthost}' is not host:port`);
  const hasServer = mail.smarthost !== undefined && mail.from !== undefined;
  if (ways.some(({ emailTo }) => emailTo !== undefined) && !hasServer)
    gaps.push('an e-mail receiver needs ALERT_SMTP_HOST and ALERT_SMTP_FROM');
  if (ways.some(({ slackChannel }) => slackChannel !== undefined) && slackUrlFile === undefined)
    gaps.push('a Slack channel needs ALERT_SLACK_URL_FILE');
  return gaps;
}
