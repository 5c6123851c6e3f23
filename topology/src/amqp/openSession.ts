/** An AMQP connection that is opened again whenever it is lost. Built on amqplib's recovery. */
import { type ChannelModel, connect, type RecoveringChannelModel } from 'amqplib';
import { TopologyError } from '../errors.ts';
import { combineWrites } from './combineWrites.ts';
import { CONNECTION_LIMITS, closeConnection, credentialsIn, withHeartbeat } from './connection.ts';
import { tolerateHeaders } from './tolerateHeaders.ts';

/** What happens to a connection; for logs and metrics. */
export type SessionEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected'; readonly error: Error }
  | { readonly type: 'connectFailed'; readonly error: Error }
  /** A memory or disk alarm of the broker blocks publishers. */
  | { readonly type: 'blocked'; readonly reason: string }
  | { readonly type: 'unblocked' }
  | { readonly type: 'channelFailed'; readonly error: Error };

/** Where to connect, and what to set up on each connection. Heartbeat, timeouts and reconnect delays: `CONNECTION_LIMITS`. */
export interface SessionOptions {
  /** AMQP URL with credentials. */
  readonly url: string;
  /** Name in the broker's list of connections. */
  readonly label: string;
  /** Opens channels, asserts the topology, starts consumers. It runs on each new connection, because a lost one takes them along. */
  readonly setup: (model: ChannelModel) => Promise<void>;
  /** Is called for each event of the connection; must not throw. */
  readonly onEvent?: (event: SessionEvent) => void;
}

/** A connection that is opened again whenever it is lost, until it is closed. */
export interface Session {
  /** True while the connection is open and set up. */
  readonly isUp: boolean;
  /** True while a memory or disk alarm blocks publishers: confirms come only when the alarm ends. */
  readonly isBlocked: boolean;
  /** Closes the connection for good. */
  close(): Promise<void>;
}

interface State {
  isUp: boolean;
  isBlocked: boolean;
  /** The newest connection. */
  model?: ChannelModel;
}

/**
 * Resolves at the first connection. Until then it tries again, with growing delays, and reports each failure.
 * @throws TopologyError from `setup`: what the broker holds differs from the plan, and trying again cannot change that.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const state: State = { isUp: false, isBlocked: false };
  const recovering = await connect(withHeartbeat(options.url), {
    credentials: credentialsIn(options.url),
    timeout: CONNECTION_LIMITS.sessionConnectTimeoutMs,
    noDelay: true,
    keepAlive: true,
    clientProperties: { connection_name: options.label },
    recovery: {
      initialDelay: CONNECTION_LIMITS.firstReconnectDelayMs,
      maxDelay: CONNECTION_LIMITS.longestReconnectDelayMs,
      waitForConnect: false,
      setup: async (model: ChannelModel) => {
        // amqplib's recovery listens for errors only after the setup; an error event without a listener would end the process.
        model.on('error', () => undefined);
        tolerateHeaders(model);
        combineWrites(model);
        state.model = model;
        const connection = { hasEnded: false };
        model.once('close', () => (connection.hasEnded = true));
        await options.setup(model);
        // amqplib's recovery would not notice an end before this line, and the session would stay down for ever.
        if (connection.hasEnded) throw new Error('the connection ended during its setup');
      },
    },
  });
  watch(recovering, state, options.onEvent);
  await firstConnection(recovering);
  return {
    get isUp() {
      return state.isUp;
    },
    get isBlocked() {
      return state.isBlocked;
    },
    close: async () => {
      const close = () => recovering.close();
      await (state.model === undefined ? close() : closeConnection(state.model, close));
    },
  };
}

function watch(
  recovering: RecoveringChannelModel,
  state: State,
  onEvent: SessionOptions['onEvent'],
): void {
  recovering.on('connect', () => {
    state.isUp = true;
    onEvent?.({ type: 'connected' });
  });
  recovering.on('disconnect', (error) => {
    state.isUp = false;
    state.isBlocked = false;
    onEvent?.({ type: 'disconnected', error });
  });
  recovering.on('connect-failed', (error) => onEvent?.({ type: 'connectFailed', error }));
  recovering.on('blocked', (reason) => {
    state.isBlocked = true;
    onEvent?.({ type: 'blocked', reason });
  });
  recovering.on('unblocked', () => {
    state.isBlocked = false;
    onEvent?.({ type: 'unblocked' });
  });
  // An error is followed by `disconnect`, which carries the reason; without a listener the error would end the process.
  recovering.on('error', () => undefined);
}

async function firstConnection(recovering: RecoveringChannelModel): Promise<void> {
  const refused = new Promise<never>((_, reject) => {
    recovering.on('connect-failed', (error) => {
      if (error instanceof TopologyError) reject(error);
    });
  });
  try {
    await Promise.race([recovering.waitForConnect(), refused]);
  } catch (error) {
    await recovering.close();
    throw error;
  }
}
