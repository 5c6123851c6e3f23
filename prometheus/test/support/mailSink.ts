/** A mail server for tests with the part of SMTP that Alertmanager uses. */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export class MailSink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The received mails with headers and unfolded lines. */
  readonly mails: string[] = [];

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      void this.#serve(socket);
    });
  }

  /** Listens on a free port of loopback. */
  static async open(): Promise<MailSink> {
    const sink = new MailSink();
    await new Promise<void>((resolve) => sink.#server.listen(0, '127.0.0.1', resolve));
    return sink;
  }

  /** host:port. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(socket: Socket): Promise<void> {
    const answer = (line: string) => socket.write(`${line}\r\n`);
    let mail: string[] | undefined;
    answer('220 sink');
    for await (const line of createInterface({ input: socket })) {
      if (mail === undefined) {
        if (line === 'DATA') mail = [];
        answer(mail === undefined ? '250 ok' : '354 go on');
      } else if (line === '.') {
        this.mails.push(plain(mail));
        mail = undefined;
        answer('250 ok');
      } else mail.push(line);
    }
  }
}

/** Decodes quoted-printable, ASCII only. */
function plain(lines: readonly string[]): string {
  const text = lines.join('\n').replaceAll('=\n', '');
  return text.replaceAll(/=([0-7][0-9A-F])/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}
