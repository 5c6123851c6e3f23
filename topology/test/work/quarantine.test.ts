/** Goal: sound messages never wait for suspects, and nothing runs beside a last chance. Method: by hand with recorded deliveries, then any mixture by property. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { CrashRisk } from '@fit/topology';
import type { Delivery } from '@fit/topology/amqp';
import fc from 'fast-check';
import { Quarantine, type QuarantineMode } from '../../src/work/quarantine.ts';

const SUSPECT_CONCURRENCY = 3;

interface TestDelivery extends Delivery {
  readonly standing: CrashRisk;
}

/** A worker over a queue of recorded messages: what it holds, what of it runs, what it gave back. */
class TestWorker {
  readonly running = new Set<TestDelivery>();
  readonly modes: QuarantineMode[] = [];
  readonly givenBack: string[] = [];
  readonly #held = new Set<TestDelivery>();
  readonly #queue: TestDelivery[] = [];
  /** The broker takes its time: what is under way still arrives. */
  isPauseSlow = false;
  isPaused = true;
  isGiveBackFree = true;
  allowedCount = 6;
  readonly quarantine = new Quarantine({
    standingOf: (delivery) => (delivery as TestDelivery).standing,
    suspectConcurrency: SUSPECT_CONCURRENCY,
    allowedCount: () => this.allowedCount,
    isGiveBackFree: () => this.isGiveBackFree,
    unsettledCount: () => this.#held.size,
    isPaused: () => this.isPaused,
    pull: () => {
      const next = this.#queue.shift();
      if (next !== undefined) this.arrive(next);
      return Promise.resolve(next !== undefined);
    },
    run: (delivery) => this.running.add(delivery as TestDelivery),
    onMode: (mode) => {
      this.modes.push(mode);
      this.isPaused = mode === 'oneByOne' && !this.isPauseSlow;
    },
  });

  /** Into the queue, from which an open worker is handed what it may hold. */
  publish(...names: readonly string[]): TestDelivery[] {
    const deliveries = names.map((name) => this.#make(name));
    this.#queue.push(...deliveries);
    return deliveries;
  }

  /** Lets everything happen that can. */
  async turn(): Promise<void> {
    this.quarantine.onChange();
    await setImmediate();
    while (this.quarantine.mode === 'open' && this.#held.size < this.allowedCount) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.arrive(next);
      await setImmediate();
    }
  }

  arrive(delivery: TestDelivery): void {
    this.#held.add(delivery);
    this.quarantine.admit(delivery);
  }

  settle(delivery: TestDelivery): void {
    this.running.delete(delivery);
    this.#held.delete(delivery);
    this.quarantine.onChange(delivery);
  }

  confirmPause(): void {
    if (this.quarantine.mode === 'oneByOne') this.isPaused = true;
    this.quarantine.onChange();
  }

  get names(): (string | undefined)[] {
    return [...this.running].map(({ messageId }) => messageId);
  }

  get heldCount(): number {
    return this.#held.size;
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  /** A name begins with its standing. */
  #make(messageId: string): TestDelivery {
    const noop = () => undefined;
    const delivery: TestDelivery = {
      messageId,
      standing: messageId.split(' ')[0] as CrashRisk,
      body: Buffer.of(),
      routingKey: 'k',
      exchange: 'e',
      headers: {},
      isRedelivered: false,
      isUrgent: false,
      receivedAtMs: 0,
      publishedAtSeconds: undefined,
      isCurrent: true,
      unreadableReason: undefined,
      ack: noop,
      reject: noop,
      delay: noop,
      discardContent: () => undefined,
      requeue: () => {
        this.givenBack.push(messageId);
        this.#held.delete(delivery);
        this.quarantine.onChange(delivery);
      },
    };
    return delivery;
  }
}

async function workerOn(...names: readonly string[]) {
  const worker = new TestWorker();
  const deliveries = worker.publish(...names);
  await worker.turn();
  return { worker, deliveries };
}

test('begins one by one; a sound message opens it, and so does an empty queue', async () => {
  assert.equal(new TestWorker().quarantine.mode, 'oneByOne');
  const { worker } = await workerOn('none');
  assert.deepEqual([worker.modes, worker.names], [['open'], ['none']]);
  const { worker: idle } = await workerOn();
  assert.deepEqual(idle.modes, ['open']);
});

test('returned messages run beside each other, as many as may run, each looked at first', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `returned ${name}`);
  const { worker, deliveries } = await workerOn(...names);
  assert.deepEqual(worker.names, names.slice(0, 6));
  assert.equal(worker.quarantine.mode, 'oneByOne');
  worker.settle(deliveries[0]!);
  await worker.turn();
  assert.deepEqual(worker.names, names.slice(1));
});

test('suspects before any sound message are few at a time; after one they run beside the others', async () => {
  const suspects = ['a', 'b', 'c', 'd'].map((name) => `suspect ${name}`);
  const { worker, deliveries } = await workerOn(...suspects, 'none');
  assert.deepEqual(worker.names, suspects.slice(0, 3));
  worker.settle(deliveries[0]!);
  await worker.turn();
  assert.deepEqual(worker.names, suspects.slice(1));
  worker.settle(deliveries[1]!);
  await worker.turn();
  assert.deepEqual(worker.names, [...suspects.slice(2), 'none']);
  assert.equal(worker.quarantine.mode, 'open');
  worker.publish('suspect e', 'suspect f', 'none g');
  await worker.turn();
  assert.equal(worker.running.size, 6);
});

test('a last chance waits until nothing else is held, then runs by itself, then the next is looked at', async () => {
  const { worker, deliveries } = await workerOn('none', 'suspect', 'nearLimit', 'none b');
  const [sound, suspect, last] = deliveries;
  assert.deepEqual(worker.names, ['none', 'suspect']);
  worker.settle(sound!);
  assert.deepEqual(worker.names, ['suspect']);
  worker.settle(suspect!);
  assert.deepEqual(worker.names, ['nearLimit']);
  await worker.turn();
  assert.equal(worker.queuedCount, 1);
  worker.settle(last!);
  await worker.turn();
  assert.deepEqual([worker.names, worker.quarantine.mode], [['none b'], 'open']);
});

test('of last chances in the queue only one is ever held: one that ends the process takes none along', async () => {
  const { worker, deliveries } = await workerOn('nearLimit a', 'nearLimit b', 'nearLimit c');
  for (const delivery of deliveries) {
    assert.deepEqual([worker.names, worker.heldCount], [[delivery.messageId], 1]);
    worker.settle(delivery);
    await worker.turn();
  }
  assert.equal(worker.quarantine.mode, 'open');
});

test('it waits until the pause is in force: what is under way would run beside it', async () => {
  const { worker, deliveries } = await workerOn('none');
  worker.settle(deliveries[0]!);
  worker.isPauseSlow = true;
  worker.publish('nearLimit');
  await worker.turn();
  assert.deepEqual(worker.names, []);
  worker.confirmPause();
  assert.deepEqual(worker.names, ['nearLimit']);
});

/** Several last chances, as they arrive together where the worker was open. */
async function withThree(isGiveBackFree: boolean): Promise<TestWorker> {
  const { worker, deliveries } = await workerOn('none');
  worker.isGiveBackFree = isGiveBackFree;
  const names = ['a', 'b', 'c'].map((name) => `lastChance ${name}`);
  worker.isPauseSlow = true;
  const lastChances = worker.publish(...names);
  await worker.turn();
  for (const late of lastChances.slice(1)) worker.arrive(late);
  worker.confirmPause();
  worker.settle(deliveries[0]!);
  return worker;
}

test('of several that are held one runs and the others go back, so that it cannot take them along', async () => {
  const worker = await withThree(true);
  assert.deepEqual(worker.names, ['nearLimit a']);
  assert.deepEqual(worker.givenBack, ['nearLimit b', 'nearLimit c']);
});

test('where giving back counts like a crash the others are kept, and have their turn', async () => {
  const worker = await withThree(false);
  assert.deepEqual([worker.names, worker.givenBack], [['nearLimit a'], []]);
  worker.settle([...worker.running][0]!);
  assert.deepEqual(worker.names, ['nearLimit b']);
});

test('a new channel forgets what the old one brought', async () => {
  const { worker } = await workerOn('none', 'nearLimit');
  worker.quarantine.reset();
  assert.equal(worker.quarantine.mode, 'oneByOne');
  await worker.turn();
  assert.deepEqual(worker.names, ['none']);
});

test('while nothing is allowed nothing is pulled', async () => {
  const worker = new TestWorker();
  worker.allowedCount = 0;
  worker.publish('none');
  await worker.turn();
  assert.equal(worker.queuedCount, 1);
  worker.allowedCount = 1;
  await worker.turn();
  assert.deepEqual(worker.names, ['none']);
});

test('property: nothing runs beside a last chance, suspects before a sound one are few, sound ones run at once, nothing is forgotten', async () => {
  const names = fc.constantFrom('none', 'returned', 'suspect', 'nearLimit');
  const steps = fc.constantFrom('settle', 'turn', 'pause');
  await fc.assert(
    fc.asyncProperty(
      fc.array(names, { maxLength: 40 }),
      fc.array(steps, { maxLength: 40 }),
      fc.boolean(),
      fc.boolean(),
      async (published, played, isGiveBackFree, isPauseSlow) => {
        const worker = new TestWorker();
        Object.assign(worker, { isGiveBackFree, isPauseSlow });
        worker.publish(...published);
        let settledCount = 0;
        let hasSeenSound = false;
        const check = () => {
          const countOf = (wanted: CrashRisk) =>
            [...worker.running].filter(({ standing }) => standing === wanted).length;
          hasSeenSound ||= countOf('none') > 0;
          assert.ok(
            countOf('nearLimit') === 0 || worker.running.size === 1,
            worker.names.join(', '),
          );
          if (!hasSeenSound) assert.ok(countOf('suspect') <= SUSPECT_CONCURRENCY);
        };
        const settleOne = () => {
          const [first] = worker.running;
          if (first === undefined) return false;
          worker.settle(first);
          settledCount += 1;
          check();
          return true;
        };
        for (const step of played) {
          if (step === 'settle') settleOne();
          else if (step === 'pause') worker.confirmPause();
          else await worker.turn();
          check();
        }
        do {
          worker.confirmPause();
          await worker.turn();
          worker.confirmPause();
          check();
        } while (settleOne());
        assert.deepEqual([worker.heldCount, worker.queuedCount], [0, 0]);
        assert.equal(settledCount + worker.givenBack.length, published.length);
      },
    ),
  );
});
