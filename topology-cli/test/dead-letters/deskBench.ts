/** A bench with letters on it. */
import type { Teardown } from '@fit/stack/testing';
import { type Declaration, declareTopology } from '@fit/topology';
import type { DeadLetterDelivery, OutgoingDeadLetter } from '@fit/topology/amqp';
import { openDeadLetterPublisher, openDeadLetterReader } from '@fit/topology/amqp';
import { TestTopology } from '../../../topology/test/support/testTopology.ts';
import { type DeskBroker, deskBroker } from '../../src/dead-letters/deskBroker.ts';
import { type Letter } from '../../src/dead-letters/letter.ts';
import { lookThrough } from '../../src/dead-letters/lookThrough.ts';
import { type ReplayOptions } from '../../src/dead-letters/replayOptions.ts';

/** Attempts are short, so that waiting for the last of them is. */
export const DESK = declareTopology({
  exchange: 'jobs',
  kinds: { one: { key: 'job.one', queue: 'one', tiers: [50, 100], deadline: '1s' } },
});

export class DeskBench {
  readonly bench: TestTopology;
  readonly broker: DeskBroker;

  private constructor(bench: TestTopology) {
    this.bench = bench;
    this.broker = deskBroker(bench.amqpUrl);
  }

  static async open(teardown: Teardown, declaration: Declaration = DESK): Promise<DeskBench> {
    const bench = await TestTopology.open(teardown, declaration);
    await (await bench.publisher()).close();
    return new DeskBench(bench);
  }

  /** Letters as a worker parks them. */
  async park(ids: readonly string[], change: Partial<OutgoingDeadLetter> = {}): Promise<void> {
    const post = await openDeadLetterPublisher(this.bench.amqpUrl);
    for (const id of ids) {
      const { result, reason } = await post.publish({
        exchange: 'one.park',
        key: 'one.r1',
        body: Buffer.from(JSON.stringify({ id })),
        headers: { 'death-cause': 'fatal', 'death-class': 'TypeError', 'death-message': 'no 7' },
        properties: { messageId: id },
        ...change,
      });
      if (result !== 'confirmed') throw new Error(`${id}: ${result} ${reason ?? ''}`);
    }
    await post.close();
  }

  /** What lies in the dead-letter queue, in order; it stays there. */
  async letters(): Promise<Letter[]> {
    let letters: Letter[] = [];
    await lookThrough({
      broker: this.broker,
      kind: this.bench.kind,
      holdLimit: 100_000,
      say: () => undefined,
      onStart: () => (letters = []),
      onLetter: (letter) => {
        letters.push(letter);
        return false;
      },
    });
    return letters;
  }

  async ids(): Promise<string[]> {
    return (await this.letters()).map(({ id }) => id);
  }

  /** Takes everything that is ready in a queue. */
  async drain(queue: string): Promise<DeadLetterDelivery[]> {
    const box = await openDeadLetterReader(this.bench.amqpUrl, queue);
    const taken: DeadLetterDelivery[] = [];
    for (let held = await box.next(); held !== undefined; held = await box.next()) {
      held.ack();
      taken.push(held);
    }
    await box.close();
    return taken;
  }

  replayOptions(change: Partial<ReplayOptions> = {}): ReplayOptions {
    return {
      broker: this.broker,
      declaration: this.bench.declaration,
      kind: this.bench.kind,
      filter: {},
      limit: Infinity,
      ratePerSecond: undefined,
      order: 'oldest',
      run: { replayId: crypto.randomUUID(), startedAt: new Date() },
      refailureLimit: 50,
      holdLimit: 10_000,
      isDryRun: false,
      say: () => undefined,
      ...change,
    };
  }
}

/** m0, m1, ... */
export function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `m${index}`);
}
