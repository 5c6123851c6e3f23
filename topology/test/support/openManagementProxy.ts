/** An HTTP proxy to the management API that counts the checks of a process, and can stop answering. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually, type Teardown } from '@fit/stack/testing';

export interface ManagementProxy {
  readonly url: string;
  /** While true each connection is ended without an answer. */
  isSilent: boolean;
  /** Resolves when that many requests more for the list of bindings were answered or ended. */
  untilAsked(count: number): Promise<void>;
}

export async function openManagementProxy(
  teardown: Teardown,
  managementUrl: string,
): Promise<ManagementProxy> {
  let askedCount = 0;
  const server = createServer((request, response) => {
    const { method = 'GET', url = '/' } = request;
    const isCheck = method === 'GET' && url.startsWith('/api/bindings/');
    const forward = async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const answer = await fetch(new URL(url, new URL(managementUrl).origin), {
        method,
        headers: {
          authorization: request.headers.authorization ?? '',
          'content-type': 'application/json',
        },
        ...(method === 'GET' ? {} : { body: Buffer.concat(chunks) }),
      });
      const text = await answer.text();
      response.writeHead(answer.status).end(text);
    };
    const answered = proxy.isSilent ? Promise.reject(new Error('silent')) : forward();
    void answered
      .catch(() => {
        request.socket.destroy();
      })
      .finally(() => {
        if (isCheck) askedCount += 1;
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(managementUrl);
  url.port = String((server.address() as AddressInfo).port);
  const proxy: ManagementProxy = {
    url: url.href,
    isSilent: false,
    untilAsked: async (count) => {
      const wanted = askedCount + count;
      await eventually(() => askedCount >= wanted, {
        describe: () => `the bindings were asked for ${askedCount} of ${wanted} times`,
      });
    },
  };
  teardown.after(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return proxy;
}
