/** A test environment: a virtual host with an asserted topology, which is removed when the test ends. */

import { askManagement, eventually, type Teardown, testBroker } from '@fit/stack/testing';
import {
  type Declaration,
  deathCause,
  declareTopology,
  type KindDeclaration,
  type TopologyPlan,
} from '@fit/topology';
import {
  type BrokerConnection,
  Consumer,
  type ConsumerOptions,
  type Delivery,
  type OutgoingMessage,
  Publisher,
  type PublisherOptions,
  type PublishResult,
} from '@fit/topology/amqp';
import { assertTopology } from '@fit/topology/assert';
import { QueueWorker, type QueueWorkerOptions } from '@fit/topology/work';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { Inspector } from '../../src/amqp/index.ts';
import { modelOf } from '../../src/amqp/openConnection.ts';

/** Tiers that are short enough for a test and long enough to be distinguished. */
export const QUICK = declareTopology({
  exchange: 'jobs',
  kinds: { one: { key: 'job.one', queue: 'one', tiers: [100, 200, 300] } },
});

export interface DeadLetterSummary {
  readonly id: string | undefined;
  readonly key: string;
  readonly cause: string;
}

export class TestTopology {
  readonly amqpUrl: string;
  readonly managementUrl: string;
  readonly vhost: string;
  readonly declaration: Declaration;
  readonly kind: KindDeclaration;
  readonly #closers: (() => Promise<unknown>)[] = [];
  #inspector: Inspector | undefined;
  #model: ChannelModel | undefined;
  #plan: TopologyPlan | undefined;

  private constructor(
    broker: { amqpUrl: string; managementUrl: string; vhost: string },
    declaration: Declaration,
  ) {
    this.amqpUrl = broker.amqpUrl;
    this.managementUrl = broker.managementUrl;
    this.vhost = broker.vhost;
    this.declaration = declaration;
    this.kind = declaration.kinds[0]!;
  }

  static async open(teardown: Teardown, declaration: Declaration = QUICK): Promise<TestTopology> {
    const closers: (() => Promise<void>)[] = [];
    // Connections are closed before the virtual host is deleted, because a session that loses its connection opens another.
    teardown.after(async () => {
      for (const close of closers.reverse()) await close();
    });
    const environment = new TestTopology(await testBroker(teardown), declaration);
    closers.push(() => environment.close());
    return environment;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  /** The plan that was asserted on this broker. */
  get plan(): TopologyPlan {
    if (this.#plan === undefined) throw new Error('nothing is asserted yet');
    return this.#plan;
  }

  /** Calls `close` before the virtual host is deleted. */
  closeLater(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  /** The connection of the publisher that was opened last. */
  get model(): ChannelModel {
    if (this.#model === undefined) throw new Error('no publisher is open');
    return this.#model;
  }

  prepare = async (connection: BrokerConnection): Promise<TopologyPlan> => {
    this.#plan = await assertTopology(connection, this.declaration, this);
    return this.#plan;
  };

  async publisher(options: Partial<PublisherOptions> = {}): Promise<Publisher> {
    const publisher = await Publisher.open({
      url: this.amqpUrl,
      label: 'test publishes',
      prepare: async (connection) => {
        this.#model = modelOf(connection);
        return await this.prepare(connection);
      },
      ...options,
    });
    this.#closers.push(() => publisher.close());
    return publisher;
  }

  async consumer(
    onDelivery: (delivery: Delivery) => void,
    options: Partial<ConsumerOptions> = {},
  ): Promise<Consumer> {
    const consumer = await Consumer.open({
      url: this.amqpUrl,
      label: 'test consumes',
      queue: this.kind.queue,
      prefetchCount: 10,
      prepare: this.prepare,
      onDelivery,
      ...options,
    });
    this.#closers.push(() => consumer.close());
    return consumer;
  }

  /** A worker of this topology's one kind; it is closed with the environment. */
  async worker<Message = Buffer, Effect = unknown>(
    options: Pick<QueueWorkerOptions<Message, Effect>, 'run'> &
      Partial<QueueWorkerOptions<Message, Effect>>,
  ): Promise<QueueWorker<Message, Effect>> {
    const worker = await QueueWorker.open<Message, Effect>({
      declaration: this.declaration,
      kind: this.kind.kind,
      amqpUrl: this.amqpUrl,
      managementUrl: this.managementUrl,
      ...options,
    });
    this.#closers.push(() => worker.close());
    return worker;
  }

  /** A channel of a connection of its own, for changes that an operator makes. */
  async adminChannel(): Promise<Channel> {
    const model = await connect(this.amqpUrl);
    model.on('error', () => undefined);
    this.#closers.push(() => model.close().catch(() => undefined));
    return await model.createChannel();
  }

  message(id: string, change: Partial<OutgoingMessage> = {}): OutgoingMessage {
    const { exchange } = this.declaration;
    return { exchange, key: this.kind.key, id, body: Buffer.from(id), ...change };
  }

  async publishAll(publisher: Publisher, count: number): Promise<PublishResult[]> {
    return await this.publishMore(publisher, count, 'm');
  }

  /** Ids are the prefix and a number, from 0 on. */
  async publishMore(publisher: Publisher, count: number, prefix: string): Promise<PublishResult[]> {
    const ids = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    return await Promise.all(ids.map((id) => publisher.publish(this.message(id))));
  }

  /** @returns the ready messages of a queue by a passive declare. */
  async readyCount(queue: string): Promise<number> {
    if (this.#inspector === undefined) {
      const inspector = await Inspector.open({ url: this.amqpUrl, label: 'test inspects' });
      this.#closers.push(() => inspector.close());
      this.#inspector = inspector;
    }
    return (await this.#inspector.depthOf(queue)).readyCount;
  }

  async expectReady(queue: string, count: number): Promise<void> {
    await eventually(async () => (await this.readyCount(queue)) === count, {
      describe: async () =>
        `${queue} has ${await this.readyCount(queue)} ready instead of ${count}`,
    });
  }

  /** Consumes the dead-letter queue until there are as many dead letters as expected. */
  async takeDeadLetters(count: number): Promise<DeadLetterSummary[]> {
    const deadLetters: DeadLetterSummary[] = [];
    await this.consumer(
      (delivery) => {
        const { messageId: id, routingKey: key, headers } = delivery;
        deadLetters.push({ id, key, cause: deathCause(this.kind, key, headers) });
        delivery.ack();
      },
      { queue: `${this.kind.queue}.dead` },
    );
    await eventually(() => deadLetters.length >= count, {
      deadlineMs: 60_000,
      describe: () =>
        `${deadLetters.length} of ${count} dead letters: ${JSON.stringify(deadLetters)}`,
    });
    return deadLetters;
  }

  /** Waits until no message is left, except in the named queues. */
  async expectEmpty(except: readonly string[] = []): Promise<void> {
    const names = this.plan.queues.map(({ name }) => name);
    for (const name of names.filter((candidate) => !except.includes(candidate)))
      await this.expectReady(name, 0);
  }

  async ask(method: 'GET' | 'DELETE', path: string): Promise<unknown> {
    return await askManagement({ method, path });
  }

  /** Closes the connections of that label by the management API, as an operator can. */
  async cutConnections(label: string): Promise<void> {
    const path = `/api/vhosts/${this.vhost}/connections`;
    const names = await eventually(
      async () => {
        const live = (await this.ask('GET', path)) as {
          name: string;
          client_properties?: { connection_name?: string };
        }[];
        const found = live.filter((one) => one.client_properties?.connection_name === label);
        return found.length > 0 && found.map(({ name }) => name);
      },
      { deadlineMs: 20_000, describe: () => `no connection '${label}' is listed` },
    );
    for (const name of names)
      await this.ask('DELETE', `/api/connections/${encodeURIComponent(name)}`);
  }
}
