/** Who is told, from the environment: webhooks, e-mail, Slack, each for pages and for tickets. */

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

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws ReceiverError naming every variable at fault. */
export function readReceivers(environment: Environment): AlertReceivers {
  const faults: string[] = [];
  const read = (name: string) => (environment[name] === '' ? undefined : environment[name]);
  const url = (name: string) => {
    const text = read(name);
    const isUrl = text === undefined || /^https?:$/.test(URL.parse(text)?.protocol ?? '');
    if (!isUrl) faults.push(`${name}='${text}' is no http or https URL`);
    return text;
  };
  const receiver = (prefix: string): Receiver => ({
    webhookUrl: url(`${prefix}_URL`),
    emailTo: read(`${prefix}_EMAIL`),
    slackChannel: read(`${prefix}_SLACK_CHANNEL`),
  });
  const receivers = {
    page: receiver('ALERT_PAGE'),
    ticket: receiver('ALERT_TICKET'),
    deadManUrl: url('ALERT_DEAD_MAN_URL'),
    slackUrlFile: read('ALERT_SLACK_URL_FILE'),
    mail: {
      smarthost: read('ALERT_SMTP_HOST'),
      from: read('ALERT_SMTP_FROM'),
      username: read('ALERT_SMTP_USERNAME'),
      passwordFile: read('ALERT_SMTP_PASSWORD_FILE'),
    },
  };
  faults.push(...gapsOf(receivers));
  if (faults.length > 0) throw new ReceiverError(faults.join('; '));
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
