/** The broker as a scenario sees it: one virtual host, into which it publishes and whose queues it counts. */
import { ManagementApi } from '@fit/topology/management';
import { type ChannelModel, connect } from 'amqplib';
import type { Mail } from './work.ts';

export interface ScenarioVhost {
  readonly amqpUrl: string;
  readonly managementUrl: string;
  readonly vhost: string;
}

export interface DeadLetter {
  readonly id: string;
  /** Its headers as JSON. */
  readonly headers: string;
}

export const DEAD_LETTER_QUEUE = 'outbox.dead';

export class ScenarioBroker {
  readonly amqpUrl: string;
  readonly #management: ManagementApi;
  #connection: ChannelModel | undefined;

  constructor({ amqpUrl, managementUrl, vhost }: ScenarioVhost) {
    const url = new URL(amqpUrl);
    // Written out, because not every library logs in as guest by default.
    url.username ||= 'guest';
    url.password ||= 'guest';
    this.amqpUrl = url.href;
    this.#management = new ManagementApi(managementUrl, vhost);
  }

  /**
   * Publishes to the exchange and key that every consumer binds. Resolves when the broker has confirmed all.
   * @throws Error if one was returned or refused, or the exchange does not exist yet.
   */
  async publish(mails: readonly Mail[], malformedIds: readonly string[] = []): Promise<void> {
    const channel = await (await this.#connect()).createConfirmChannel();
    // Without a listener the error of a missing exchange would end the program; the confirms below reject as well.
    channel.on('error', () => undefined);
    let returnedCount = 0;
    channel.on('return', () => {
      returnedCount += 1;
    });
    const bodies = [
      ...mails.map((mail): { id: string; body: object } => ({ id: mail.id, body: mail })),
      ...malformedIds.map((id) => ({ id, body: { id } })),
    ];
    for (const { id, body } of bodies)
      channel.publish('mail', 'mail.send', Buffer.from(JSON.stringify(body)), {
        persistent: true,
        mandatory: true,
        messageId: id,
        contentType: 'application/json',
      });
    await channel.waitForConfirms();
    await channel.close();
    if (returnedCount > 0) throw new Error(`${returnedCount} messages were returned`);
  }

  /** @returns the ready messages of each queue. @throws Error while the broker does not answer. */
  async depths(): Promise<ReadonlyMap<string, number>> {
    const queues = (await this.#management.get(['queues', this.#management.vhost])) as {
      readonly name: string;
    }[];
    const channel = await (await this.#connect()).createChannel();
    channel.on('error', () => undefined);
    const depths = new Map<string, number>();
    for (const { name } of queues) depths.set(name, (await channel.checkQueue(name)).messageCount);
    await channel.close();
    return depths;
  }

  /** Takes all dead letters. */
  async takeDeadLetters(): Promise<DeadLetter[]> {
    const channel = await (await this.#connect()).createChannel();
    const deadLetters: DeadLetter[] = [];
    for (;;) {
      const message = await channel.get(DEAD_LETTER_QUEUE, { noAck: true });
      if (message === false) break;
      const { properties } = message;
      deadLetters.push({
        id: String(properties.messageId),
        headers: JSON.stringify(properties.headers),
      });
    }
    await channel.close();
    return deadLetters;
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  /** Opens the connection again after it was lost. */
  async #connect(): Promise<ChannelModel> {
    if (this.#connection !== undefined) return this.#connection;
    const connection = await connect(this.amqpUrl, { noDelay: true });
    connection.on('error', () => undefined);
    connection.on('close', () => {
      if (this.#connection === connection) this.#connection = undefined;
    });
    this.#connection = connection;
    return connection;
  }
}
