/** The driver's events of its pool and its commands, as counts and one stream. */
import type { MongoClient } from 'mongodb';

/** What befalls the store's client; for metrics. */
export type StoreEvent =
  | {
      readonly type: 'command';
      readonly command: string;
      readonly outcome: 'ok' | 'failed';
      readonly durationMs: number;
    }
  /** An operation got no connection: the pool was exhausted for too long, or the server is away. */
  | { readonly type: 'checkoutFailed' };

/** Connections to the store at this moment. */
export interface PoolCounts {
  readonly inUseCount: number;
  readonly idleCount: number;
  /** Operations that wait for a connection. */
  readonly pendingCount: number;
}

/** From the first event on: call it before the first operation. */
export function watchPool(client: MongoClient): PoolCounts {
  const counts = { open: 0, inUse: 0, pending: 0 };
  client.on('connectionCreated', () => (counts.open += 1));
  client.on('connectionClosed', () => (counts.open -= 1));
  client.on('connectionCheckOutStarted', () => (counts.pending += 1));
  client.on('connectionCheckOutFailed', () => (counts.pending -= 1));
  client.on('connectionCheckedOut', () => {
    counts.pending -= 1;
    counts.inUse += 1;
  });
  client.on('connectionCheckedIn', () => (counts.inUse -= 1));
  return {
    get inUseCount() {
      return counts.inUse;
    },
    get idleCount() {
      return Math.max(0, counts.open - counts.inUse);
    },
    get pendingCount() {
      return counts.pending;
    },
  };
}

export function watchCommands(client: MongoClient, listener: (event: StoreEvent) => void): void {
  client.on('connectionCheckOutFailed', () => {
    listener({ type: 'checkoutFailed' });
  });
  client.on('commandSucceeded', ({ commandName: command, duration: durationMs }) => {
    listener({ type: 'command', command, outcome: 'ok', durationMs });
  });
  client.on('commandFailed', ({ commandName: command, duration: durationMs }) => {
    listener({ type: 'command', command, outcome: 'failed', durationMs });
  });
}
