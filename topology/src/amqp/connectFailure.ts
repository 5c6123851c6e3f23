/** Why a connection to the broker failed, in words that say what to change. */
import { fault, TopologyError } from '../errors.ts';

/** amqplib 2.3 names the frame, not the reason, when the broker refuses a virtual host. */
const REFUSED_VHOST = 'Expected ConnectionOpenOk; got <ConnectionClose';
const REFUSED_LOGIN = /ACCESS[_-]REFUSED/;

/**
 * @param amqpUrl the URL that was connected to; its password never becomes part of the message.
 * @returns TopologyError `BROKER_REFUSED` (`LOGIN_REFUSED`, `VHOST_MISSING`) where a broker answered and refused,
 * `BROKER_UNREACHABLE` (`AMQP_UNREACHABLE`) where none answered.
 */
export function connectFailure(error: unknown, amqpUrl: string): TopologyError {
  const { host, pathname, username } = new URL(amqpUrl);
  const vhost = decodeURIComponent(pathname.slice(1)) || '/';
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
  const remedy = `${message}; is the broker up, and is the AMQP URL right?`;
  return new TopologyError(
    'BROKER_UNREACHABLE',
    [fault('AMQP_UNREACHABLE', `${host}${pathname}`, remedy)],
    { cause: error },
  );
}
