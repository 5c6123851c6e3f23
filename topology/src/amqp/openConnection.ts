/** How an AMQP connection of this library is opened and closed, and what a failure to open one means. */
import { type Channel, type ChannelModel, connect, credentials } from 'amqplib';
import { fault, TopologyError } from '../errors.ts';
import { type BrokerConnection, CONNECTION_LIMITS, vhostOf } from './connection.ts';
import { tolerateHeaders } from './tolerateHeaders.ts';

/** @returns the same connection with its type of amqplib, for this folder, which opens channels on it. */
export function modelOf(connection: BrokerConnection): ChannelModel {
  return connection as unknown as ChannelModel;
}

/**
 * Opens one connection that does not come back after a loss; `openSession` gives one that does.
 * @param label is shown in the broker's list of connections.
 * @throws TopologyError `BROKER_UNREACHABLE`, `BROKER_REFUSED` (login, virtual host).
 */
export async function openConnection(url: string, label: string): Promise<ChannelModel> {
  const model = await connect(withHeartbeat(url), {
    credentials: credentialsIn(url),
    timeout: CONNECTION_LIMITS.connectTimeoutMs,
    noDelay: true,
    clientProperties: { connection_name: label },
  }).catch((error: unknown) => {
    throw connectFailure(error, url);
  });
  // An error event without a listener would end the process. Pending requests are rejected by amqplib itself.
  model.on('error', () => undefined);
  tolerateHeaders(model);
  return model;
}

/** @returns when the channel is closed, or its connection lost or silent: amqplib settles no such close. */
export async function closeChannel(channel: Channel): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isOver = new Promise<void>((resolve) => {
    channel.once('close', () => {
      resolve();
    });
    timer = setTimeout(resolve, CONNECTION_LIMITS.closeTimeoutMs);
  });
  await Promise.race([channel.close().catch(() => undefined), isOver]);
  clearTimeout(timer);
}

/**
 * Closes a connection. It resolves also if the connection is lost meanwhile, because amqplib never settles the promise of such a close.
 * @param lastRequests are sent first; their errors are ignored.
 */
export async function closeConnection(
  model: ChannelModel,
  lastRequests: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isOver = new Promise<void>((resolve) => {
    model.once('close', () => {
      resolve();
    });
    timer = setTimeout(resolve, CONNECTION_LIMITS.closeTimeoutMs);
  });
  await Promise.race([lastRequests().catch(() => undefined), isOver]);
  await Promise.race([model.close().catch(() => undefined), isOver]);
  clearTimeout(timer);
}

/** amqplib 2.3 names the frame, not the reason, if the broker refuses a virtual host. */
const REFUSED_VHOST = 'Expected ConnectionOpenOk; got <ConnectionClose';
const REFUSED_LOGIN = /ACCESS[_-]REFUSED/;

/**
 * @param amqpUrl is the URL that was connected to; its password never becomes part of the message.
 * @returns TopologyError `BROKER_REFUSED` (`LOGIN_REFUSED`, `VHOST_MISSING`) if a broker answered and refused,
 * `BROKER_UNREACHABLE` (`AMQP_UNREACHABLE`, `TLS_FAILED`) if none answered, or none that can be trusted.
 */
export function connectFailure(error: unknown, amqpUrl: string): TopologyError {
  const { host, pathname, username } = new URL(amqpUrl);
  const vhost = vhostOf(amqpUrl);
  const user = decodeURIComponent(username) || 'guest';
  const message = error instanceof Error ? error.message : String(error);
  const refused = (code: string, remedy: string) =>
    new TopologyError('BROKER_REFUSED', [fault(code, host, remedy)], { cause: error });
  if (REFUSED_LOGIN.test(message))
    return refused(
      'LOGIN_REFUSED',
      `the broker refuses user '${user}': check name and password in the AMQP URL (guest may log in from the broker's own host only)`,
    );
  if (message.includes(REFUSED_VHOST))
    return refused(
      'VHOST_MISSING',
      `virtual host '${vhost}' does not exist, or user '${user}' has no permission on it: check the path of the AMQP URL, or create it and set the permissions`,
    );
  if (isTlsFailure(error))
    return new TopologyError(
      'BROKER_UNREACHABLE',
      [
        fault(
          'TLS_FAILED',
          host,
          `${message}: check the certificates, the name of the host, and that the port speaks TLS`,
        ),
      ],
      { cause: error },
    );
  const remedy = `${message}; is the broker up, and is the AMQP URL right?`;
  return new TopologyError(
    'BROKER_UNREACHABLE',
    [fault('AMQP_UNREACHABLE', `${host}${pathname}`, remedy)],
    { cause: error },
  );
}

/** Codes of OpenSSL and Node for a certificate or a handshake that failed. */
const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

function isTlsFailure(error: unknown): boolean {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' && TLS_CODE.test(code);
}

/** @returns true if trying again cannot help: the broker refuses user, virtual host or certificate, or its own fails. */
export function isRefusal({ code, faults }: TopologyError): boolean {
  return code === 'BROKER_REFUSED' || faults.some((one) => one.code === 'TLS_FAILED');
}

/**
 * Every connect passes this, because amqplib 2.3.1 decodes user and password by the global `unescape`, which takes each
 * byte of an escape for a character: 'ä', %C3%A4 in a URL, would reach the broker as 'Ã¤' and be refused.
 * @returns the user and the password of an AMQP URL; guest and guest if it has neither.
 * @throws Error if one of them has a % that is no escape.
 */
export function credentialsIn(url: string): ReturnType<typeof credentials.plain> {
  const { username, password } = new URL(url);
  if (username === '' && password === '') return credentials.plain('guest', 'guest');
  try {
    return credentials.plain(decodeURIComponent(username), decodeURIComponent(password));
  } catch (cause) {
    const remedy = 'has a % that is no escape in its user or password; write % itself as %25';
    throw new Error(`the AMQP URL ${remedy}`, { cause });
  }
}

/** @returns the URL with the heartbeat of `CONNECTION_LIMITS`. */
export function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set('heartbeat', String(CONNECTION_LIMITS.heartbeatSeconds));
  return parsed.href;
}
