/** A virtual host whose dead-letter queue a test fills. */
import type { Teardown } from '@fit/stack/testing';
import { type Declaration, declareTopology } from '@fit/topology';
import type { DeadLetterDelivery, OutgoingDeadLetter } from '@fit/topology/amqp';
import { openDeadLetterPublisher, openDeadLetterReader } from '@fit/topology/amqp';
import { TestTopology } from '../../../topology/test/support/testTopology.ts';
import {
  browseDeadLetters,
  type DeadLetterBroker,
  deadLetterBroker,
} from '../../src/dead-letters/browseDeadLetters.ts';
import { type ParsedDeadLetter } from '../../src/dead-letters/parsedDeadLetter.ts';
import { type ReplayOptions } from '../../src/dead-letters/replayDeadLetters.ts';

/** Attempts are short, so that waiting for the last of them is. */
export const SHORT_ATTEMPTS = declareTopology({
  exchange: 'jobs',
  kinds: { one: { key: 'job.one', queue: 'one', tiers: [50, 100], deadline: '1s' } },
});

export class DeadLetterEnvironment {
  readonly testTopology: TestTopology;
  readonly broker: DeadLetterBroker;

  private constructor(testTopology: TestTopology) {
    this.testTopology = testTopology;
    this.broker = deadLetterBroker(testTopology.amqpUrl);
  }

  static async open(
    teardown: Teardown,
    declaration: Declaration = SHORT_ATTEMPTS,
  ): Promise<DeadLetterEnvironment> {
    const testTopology = await TestTopology.open(teardown, declaration);
    await (await testTopology.publisher()).close();
    return new DeadLetterEnvironment(testTopology);
  }

  /** Publishes dead letters with the headers that a worker writes. */
  async addDeadLetters(
    ids: readonly string[],
    change: Partial<OutgoingDeadLetter> = {},
  ): Promise<void> {
    const publisher = await openDeadLetterPublisher(this.testTopology.amqpUrl);
    for (const id of ids) {
      const { result, reason } = await publisher.publish({
        exchange: 'one.park',
        key: 'one.r1',
        body: Buffer.from(JSON.stringify({ id })),
        headers: { 'death-cause': 'fatal', 'death-class': 'TypeError', 'death-message': 'no 7' },
        properties: { messageId: id },
        ...change,
      });
      if (result !== 'confirmed') throw new Error(`${id}: ${result} ${reason ?? ''}`);
    }
    await publisher.close();
  }

  /** @returns the messages of the dead-letter queue, in order; they stay there. */
  async deadLetters(): Promise<ParsedDeadLetter[]> {
    let deadLetters: ParsedDeadLetter[] = [];
    await browseDeadLetters({
      broker: this.broker,
      kind: this.testTopology.kind,
      readLimit: 100_000,
      log: () => undefined,
      onStart: () => (deadLetters = []),
      onDeadLetter: (deadLetter) => {
        deadLetters.push(deadLetter);
        return 'continue';
      },
    });
    return deadLetters;
  }

  async ids(): Promise<string[]> {
    return (await this.deadLetters()).map(({ id }) => id);
  }

  /** Takes everything that is ready in a queue. */
  async drain(queue: string): Promise<DeadLetterDelivery[]> {
    const reader = await openDeadLetterReader(this.testTopology.amqpUrl, queue);
    const taken: DeadLetterDelivery[] = [];
    for (let held = await reader.next(); held !== undefined; held = await reader.next()) {
      held.ack();
      taken.push(held);
    }
    await reader.close();
    return taken;
  }

  replayOptions(change: Partial<ReplayOptions> = {}): ReplayOptions {
    return {
      broker: this.broker,
      declaration: this.testTopology.declaration,
      kind: this.testTopology.kind,
      filter: {},
      limit: Infinity,
      ratePerSecond: undefined,
      order: 'oldest',
      run: { replayId: crypto.randomUUID(), startedAt: new Date() },
      refailureLimit: 50,
      readLimit: 10_000,
      isDryRun: false,
      log: () => undefined,
      ...change,
    };
  }
}

/** m0, m1, ... */
export function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `m${index}`);
}
