/** A virtual host whose topology is applied and not asserted, and a load that notices each lost message. */
import { eventually, type Teardown } from '@fit/stack/testing';
import { type Declaration, declareTopology } from '@fit/topology';
import { type OpenTopologyAdmin, openTopologyAdmin, type Publisher } from '@fit/topology/amqp';
import { type LiveTopology, ManagementApi, readLive } from '@fit/topology/management';
import { TestTopology } from '../../../topology/test/support/testTopology.ts';
import {
  type ApplyOptions,
  type ApplyReport,
  applyTopology,
  planFor,
} from '../../src/apply/applyTopology.ts';
import { diffTopology, type TopologyDifference } from '../../src/apply/diffTopology.ts';

export function tiersOf(tiers: readonly number[], tierOrder: 'rising' | 'any' = 'rising') {
  return declareTopology({
    exchange: 'jobs',
    kinds: { one: { key: 'job.one', queue: 'one', tiers, tierOrder } },
  });
}

export class ApplyEnvironment {
  readonly testTopology: TestTopology;
  readonly api: ManagementApi;
  #admin: OpenTopologyAdmin | undefined;

  private constructor(testTopology: TestTopology) {
    this.testTopology = testTopology;
    this.api = new ManagementApi(testTopology.managementUrl, testTopology.vhost);
  }

  static async open(teardown: Teardown): Promise<ApplyEnvironment> {
    return new ApplyEnvironment(await TestTopology.open(teardown));
  }

  /** The admin is closed with the environment. */
  async admin(): Promise<OpenTopologyAdmin> {
    const admin = await openTopologyAdmin(this.testTopology.amqpUrl, 'test changes');
    this.testTopology.closeLater(() => admin.close());
    return admin;
  }

  async apply(
    declaration: Declaration,
    onStep?: NonNullable<ApplyOptions['onStep']>,
  ): Promise<ApplyReport> {
    const admin = await this.admin();
    this.#admin = admin;
    try {
      const options = { admin, api: this.api, declaration };
      return await applyTopology(onStep === undefined ? options : { ...options, onStep });
    } finally {
      await admin.close();
    }
  }

  /** The connection of the apply that runs. */
  async cut(): Promise<void> {
    await this.#admin?.close();
  }

  async live(): Promise<LiveTopology> {
    return await readLive(this.api);
  }

  async diff(declaration: Declaration): Promise<TopologyDifference[]> {
    return diffTopology(planFor(declaration, await this.api.version()), await this.live());
  }

  /** Code and subject of each difference. */
  async drift(declaration: Declaration): Promise<string[]> {
    return (await this.diff(declaration)).map(({ code, subject }) => `${code} ${subject}`);
  }
}

/** Publishes to kind `one`, rejects each delivery until `finish` is called, and records how each message ends. */
export class Load {
  /** Ids of messages, once for each time that they were done or dead-lettered. */
  readonly ends: string[] = [];
  /** Routing keys of dead letters. */
  readonly lastKeys: string[] = [];
  readonly #testTopology: TestTopology;
  #publisher: Publisher | undefined;
  #publishedCount = 0;
  #rejectedCount = 0;
  #isDone: (id: string) => boolean = () => false;

  constructor({ testTopology }: ApplyEnvironment) {
    this.#testTopology = testTopology;
  }

  /** Asserts nothing: the topology is there. */
  async open(): Promise<void> {
    const prepare = () => Promise.resolve();
    this.#publisher = await this.#testTopology.publisher({ prepare });
    await this.#testTopology.consumer(
      (delivery) => {
        const id = delivery.messageId ?? '';
        if (this.#isDone(id)) {
          this.ends.push(id);
          delivery.ack();
        } else {
          this.#rejectedCount += 1;
          delivery.nackToDeadLetterExchange();
        }
      },
      { prepare, prefetchCount: 100 },
    );
    await this.#testTopology.consumer(
      (delivery) => {
        this.ends.push(delivery.messageId ?? '');
        this.lastKeys.push(delivery.routingKey);
        delivery.ack();
      },
      { prepare, queue: 'one.dead', prefetchCount: 100 },
    );
  }

  /** From now on these are handled. */
  finish(isDone: (id: string) => boolean): void {
    this.#isDone = isDone;
  }

  async publish(count: number): Promise<void> {
    const ids = Array.from({ length: count }, () => `m${this.#publishedCount++}`);
    const results = await Promise.all(
      ids.map(async (id) => await this.#publisher?.publish(this.#testTopology.message(id))),
    );
    const failed = results.find((result) => result !== 'confirmed');
    if (failed !== undefined) throw new Error(`a publish was ${failed}`);
  }

  /** New messages, each rejected once at least. */
  async publishRejected(count: number): Promise<void> {
    const wanted = this.#rejectedCount + count;
    await this.publish(count);
    await eventually(() => this.#rejectedCount >= wanted, {
      describe: () => `${this.#rejectedCount} of ${wanted} rejected`,
    });
  }

  /** Every message has ended. @returns how often each id did, where that is not once. */
  async misses(): Promise<Record<string, number>> {
    await eventually(() => new Set(this.ends).size >= this.#publishedCount, {
      deadlineMs: 40_000,
      describe: () => `${new Set(this.ends).size} of ${this.#publishedCount} have ended`,
    });
    const counts: Record<string, number> = {};
    for (const id of this.ends) counts[id] = (counts[id] ?? 0) + 1;
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 1));
  }
}
