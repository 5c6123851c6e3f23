/** What the other folders, and users of the package, see of an AMQP connection. No type of amqplib is among it. */

/** Limits of every AMQP connection. This is the only place that sets them. */
export const CONNECTION_LIMITS = {
  /** Seconds; the `heartbeat` of connection.tune-ok. A half-open connection is found dead after about 2.9 of them (measured). */
  heartbeatSeconds: 10,
  /** Milliseconds for one TCP connect and AMQP handshake. A frozen broker accepts TCP and never answers. */
  connectTimeoutMs: 5_000,
  /** The same for a session, which is shorter because a session tries again. */
  sessionConnectTimeoutMs: 2_000,
  /** Milliseconds before a session's first attempt to connect again; the delay doubles with each failure. */
  firstReconnectDelayMs: 200,
  /** Milliseconds; the longest delay between two attempts of a session. */
  longestReconnectDelayMs: 5_000,
  /** Milliseconds for connection.close, after which the connection counts as closed. */
  closeTimeoutMs: 5_000,
} as const;

/**
 * A connection while it is open, as a session hands it to what is set up on it. It is one of amqplib, but typed as little as
 * its users need, so that a new major version of amqplib changes no type of this package.
 */
export interface BrokerConnection {
  /** The listener is called once, when the connection ends. */
  once(event: 'close', listener: () => void): unknown;
}

/** @returns the broker's version, such as '4.3.6'. amqplib keeps it from the handshake, but does not type it. */
export function brokerVersion(connection: BrokerConnection): string {
  const { serverProperties } = (
    connection as unknown as {
      readonly connection: { readonly serverProperties: { readonly version?: string } };
    }
  ).connection;
  return serverProperties.version ?? '0.0.0';
}

/** @returns the virtual host of an AMQP URL, decoded; '/' if the URL has no path. */
export function vhostOf(amqpUrl: string): string {
  const path = new URL(amqpUrl).pathname.slice(1);
  return path === '' ? '/' : decodeURIComponent(path);
}
