/** A wire to a server that a test can hold or cut. */
import { connect, createServer, type Socket } from 'node:net';
import type { Teardown } from '@fit/stack/testing';

export interface Proxy {
  /** The broker's URL, by way of here. */
  readonly url: string;
  /** What the server says arrives no more, on new connections too, until `release` or `cut`. */
  holdReplies(): void;
  release(): void;
  /** Resets every connection, both ways. */
  cut(): void;
}

export async function openProxy(teardown: Teardown, brokerUrl: string): Promise<Proxy> {
  const target = new URL(brokerUrl);
  const sockets = new Set<Socket>();
  const replies = new Set<Socket>();
  const state = { isHeld: false };
  const server = createServer((client) => {
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
  };
  teardown.after(async () => {
    proxy.cut();
    await new Promise((resolve) => server.close(resolve));
  });
  return proxy;
}

/**
 * libuv refuses to reset a socket that is about to end, and Node takes it for closed all the same: a process in which that
 * happened spins for ever when it shall exit (Node 24.21: `socket.end(); socket.resetAndDestroy()`).
 */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
