/** One AMQP connection that comes back. Built on amqplib's recovery; what belongs to a connection is made in `setup`. */
import { type ChannelModel, connect, credentials, type RecoveringChannelModel } from 'amqplib';
import { TopologyError } from '../errors.ts';
import { endConnection } from './endConnection.ts';
import { tolerateHeaders } from './tolerateHeaders.ts';

/** What befalls a connection; for logs and metrics. */
export type SessionEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected'; readonly error: Error }
  | { readonly type: 'connectFailed'; readonly error: Error }
  | { readonly type: 'blocked'; readonly reason: string }
  | { readonly type: 'unblocked' }
  | { readonly type: 'channelFailed'; readonly error: Error };

/** Where to connect, and what to make on each connection. */
export interface SessionOptions {
  readonly url: string;
  /** Shown in the broker's list of connections. */
  readonly label: string;
  /** Makes channels, topology, consumers; runs after each connect, on the connection of that generation. */
  readonly setup: (model: ChannelModel) => Promise<void>;
  readonly onEvent?: (event: SessionEvent) => void;
}

/** A connection that is made anew whenever it is lost, until it is closed. */
export interface Session {
  readonly isUp: boolean;
  /** True while a memory or disk alarm blocks publishers: confirms come only when it ends. */
  readonly isBlocked: boolean;
  close(): Promise<void>;
}

/** A frozen broker accepts TCP and says nothing: without this bound a connect is pending for ever (measured). */
const CONNECT_TIMEOUT_MS = 2_000;
/** A half-open link is noticed after about 2.9 heartbeats (measured). */
const HEARTBEAT_SECONDS = 10;

interface State {
  isUp: boolean;
  isBlocked: boolean;
  /** The connection that was made last. */
  model?: ChannelModel;
}

/**
 * Resolves at the first connection; until then it retries with growing pauses, at most 5 s, and reports each failure.
 * @throws TopologyError from `setup`: what the broker holds differs from the plan, and retrying cannot mend that.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const state: State = { isUp: false, isBlocked: false };
  const recovering = await connect(withHeartbeat(options.url), {
    credentials: credentialsIn(options.url),
    timeout: CONNECT_TIMEOUT_MS,
    noDelay: true,
    keepAlive: true,
    clientProperties: { connection_name: options.label },
    recovery: {
      initialDelay: 200,
      maxDelay: 5_000,
      waitForConnect: false,
      setup: async (model: ChannelModel) => {
        // Before recovery listens itself, an error event without a listener would end the process.
        model.on('error', () => undefined);
        tolerateHeaders(model);
        state.model = model;
        const life = { hasEnded: false };
        model.once('close', () => (life.hasEnded = true));
        await options.setup(model);
        // Recovery listens from here on: an end before that would go unseen, and the session would never come back.
        if (life.hasEnded) throw new Error('the connection ended during its setup');
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
      await (state.model === undefined ? close() : endConnection(state.model, close));
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
    Object.assign(state, { isUp: false, isBlocked: false });
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
  // Followed by `disconnect`, which carries the reason; without a listener it would end the process.
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

/**
 * Given to every connect: amqplib 2.3.1 decodes both by the global `unescape`, which takes each byte of an escape for a
 * character, so that 'ä', %C3%A4 in a URL, would reach the broker as 'Ã¤' and be refused.
 * @returns the user and the password of an AMQP URL; guest and guest where it has neither.
 * @throws Error where one of them has a % that is no escape.
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

/** @returns the URL with a heartbeat that notices a half-open link. */
export function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return parsed.href;
}

/** @returns the plain virtual host of an AMQP URL; no path means '/'. */
export function vhostOf(amqpUrl: string): string {
  const path = new URL(amqpUrl).pathname.slice(1);
  return path === '' ? '/' : decodeURIComponent(path);
}
