/** Receives Alertmanager's webhooks in a test and keeps every notification with its time of arrival. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** One alert of a webhook request. */
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
        this.#record(receiver, JSON.parse(body) as Webhook);
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

  /** @returns the URL of a receiver's webhook. */
  urlOf(receiver: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/${receiver}`;
  }

  /** All notifications in the order of arrival. */
  get notifications(): readonly Notification[] {
    return this.#notifications;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #record(receiver: string, { alerts }: Webhook): void {
    const at = Date.now();
    for (const { status, labels } of alerts)
      this.#notifications.push({ receiver, status, labels, at });
  }
}
