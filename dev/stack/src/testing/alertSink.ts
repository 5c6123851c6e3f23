/** Where Alertmanager's webhooks arrive in a test: every notification in order, with the moment it came. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** One alert of one webhook. */
export interface Notification {
  /** The last part of the webhook's path, such as page for `/page`. */
  readonly receiver: string;
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

interface Webhook {
  readonly alerts: readonly Pick<Notification, 'status' | 'labels'>[];
}

export class AlertSink {
  readonly #server: Server;
  readonly #notifications: Notification[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      void text(request).then((body) => {
        const receiver = request.url?.split('/').at(-1) ?? '';
        this.#take(receiver, JSON.parse(body) as Webhook);
        response.end();
      });
    });
  }

  /** Listens on a free port of loopback. */
  static async open(): Promise<AlertSink> {
    const sink = new AlertSink();
    await new Promise<void>((resolve) => sink.#server.listen(0, '127.0.0.1', resolve));
    return sink;
  }

  /** For a receiver's webhook. */
  urlOf(receiver: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/${receiver}`;
  }

  /** In the order of arrival. */
  get notifications(): readonly Notification[] {
    return this.#notifications;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(receiver: string, { alerts }: Webhook): void {
    const at = Date.now();
    for (const { status, labels } of alerts)
      this.#notifications.push({ receiver, status, labels, at });
  }
}
