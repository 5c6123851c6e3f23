/** The connections of a process to the broker: one pair for everything that publishes and consumes. */
import { setTimeout as pause } from 'node:timers/promises';
import { ConnectError, type Connection, createConnection, type TopologyEvent } from '@fit/topology';

export interface BrokerOptions {
  readonly amqpUrl: string;
  readonly managementUrl: string | undefined;
  /** Shown in the broker's list of connections. */
  readonly name: string;
  /** Aborted by the first signal to stop: ends connecting, and leaves an open connection to its shutdown hook. */
  readonly stopping: AbortSignal;
  readonly onEvent: (event: TopologyEvent) => void;
}

/** How long a broker has that refuses: somebody may be about to create user or virtual host. */
const REFUSED_PAUSE_MS = 2_000;

/** Waits for the broker as long as it takes. @throws the reason of `stopping`. */
export async function openBroker(options: BrokerOptions): Promise<Connection> {
  const { amqpUrl, managementUrl, name, stopping, onEvent } = options;
  const connecting = new AbortController();
  const abort = () => {
    connecting.abort(stopping.reason);
  };
  stopping.addEventListener('abort', abort);
  try {
    for (;;)
      try {
        return await createConnection({
          url: amqpUrl,
          ...(managementUrl === undefined ? {} : { managementUrl }),
          name,
          connectTimeout: 'forever',
          signal: connecting.signal,
          // The service logs events.
          logger: false,
          hooks: { onEvent },
        });
      } catch (error) {
        if (!(error instanceof ConnectError)) throw error;
        await pause(REFUSED_PAUSE_MS, undefined, { signal: connecting.signal });
      }
  } finally {
    stopping.removeEventListener('abort', abort);
  }
}
