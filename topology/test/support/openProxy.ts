/** A TCP proxy to a server, whose replies a test can hold back, and whose connections it can reset. */
import { connect, createServer, type Socket } from 'node:net';
import type { Teardown } from '@fit/stack/testing';

export interface Proxy {
  /** URL of the server through this proxy. */
  readonly url: string;
  /** Replies of the server do not arrive, on new connections too, until `release` or `cut`. */
  holdReplies(): void;
  release(): void;
  /** Resets every connection, both ways. */
  cut(): void;
  /** Resets every connection, and each new one, until `accept`. */
  refuse(): void;
  accept(): void;
}

export async function openProxy(teardown: Teardown, brokerUrl: string): Promise<Proxy> {
  const target = new URL(brokerUrl);
  const sockets = new Set<Socket>();
  const replies = new Set<Socket>();
  const state = { isHeld: false, isRefusing: false };
  const server = createServer((client) => {
    if (state.isRefusing) {
      client.destroy();
      return;
    }
    const broker = connect(Number(target.port), target.hostname);
    replies.add(broker);
    for (const [socket, peer] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => peer.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        replies.delete(socket);
        peer.destroy();
      });
      socket.on('data', (bytes) => peer.write(bytes));
    }
    if (state.isHeld) broker.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = new URL(brokerUrl);
  url.port = String(typeof address === 'object' ? address?.port : 0);
  const proxy: Proxy = {
    url: url.href,
    holdReplies: () => {
      state.isHeld = true;
      for (const socket of replies) socket.pause();
    },
    release: () => {
      state.isHeld = false;
      for (const socket of replies) socket.resume();
    },
    cut: () => {
      state.isHeld = false;
      for (const socket of sockets) reset(socket);
    },
    refuse: () => {
      state.isRefusing = true;
      proxy.cut();
    },
    accept: () => {
      state.isRefusing = false;
    },
  };
  teardown.after(async () => {
    proxy.refuse();
    await new Promise((resolve) => server.close(resolve));
  });
  return proxy;
}

/**
 * libuv refuses to reset a socket that is ending, but Node treats it as closed: such a process spins for ever instead of
 * exiting (Node 24.21: `socket.end(); socket.resetAndDestroy()`).
 */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
