/** Goal: messages without risk never wait for suspects, and nothing runs beside a message near its limit. Method: recorded deliveries, then any mixture by a property. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { CrashRisk } from '@fit/topology';
import type { Delivery } from '@fit/topology/amqp';
import fc from 'fast-check';
import { Quarantine, type QuarantineMode } from '../../src/work/quarantine.ts';

const SUSPECT_CONCURRENCY = 3;

interface TestDelivery extends Delivery {
  readonly risk: CrashRisk;
}

/** A worker over a queue of recorded messages: its unsettled, running and requeued ones. */
class TestWorker {
  readonly running = new Set<TestDelivery>();
  readonly modes: QuarantineMode[] = [];
  readonly requeued: string[] = [];
  readonly #unsettled = new Set<TestDelivery>();
  readonly #queue: TestDelivery[] = [];
  /** The broker takes its time: what is under way still arrives. */
  isPauseSlow = false;
  isPaused = true;
  isRequeueFree = true;
  maxInFlight = 6;
  readonly quarantine = new Quarantine({
    riskOf: (delivery) => (delivery as TestDelivery).risk,
    suspectConcurrency: SUSPECT_CONCURRENCY,
    maxInFlight: () => this.maxInFlight,
    isRequeueFree: () => this.isRequeueFree,
    unsettledCount: () => this.#unsettled.size,
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

  /** Adds messages to the queue, from which a worker in prefetch mode receives as many as it may hold. */
  publish(...names: readonly string[]): TestDelivery[] {
    const deliveries = names.map((name) => this.#make(name));
    this.#queue.push(...deliveries);
    return deliveries;
  }

  /** Lets everything happen that can. */
  async turn(): Promise<void> {
    this.quarantine.onChange();
    await setImmediate();
    while (this.quarantine.mode === 'prefetch' && this.#unsettled.size < this.maxInFlight) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.arrive(next);
      await setImmediate();
    }
  }

  arrive(delivery: TestDelivery): void {
    this.#unsettled.add(delivery);
    this.quarantine.admit(delivery);
  }

  settle(delivery: TestDelivery): void {
    this.running.delete(delivery);
    this.#unsettled.delete(delivery);
    this.quarantine.onChange(delivery);
  }

  confirmPause(): void {
    if (this.quarantine.mode === 'oneByOne') this.isPaused = true;
    this.quarantine.onChange();
  }

  get names(): (string | undefined)[] {
    return [...this.running].map(({ messageId }) => messageId);
  }

  get unsettledCount(): number {
    return this.#unsettled.size;
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  /** The first word of a name is its crash risk. */
  #make(messageId: string): TestDelivery {
    const noop = () => undefined;
    const delivery: TestDelivery = {
      messageId,
      risk: messageId.split(' ')[0] as CrashRisk,
      body: Buffer.of(),
      type: undefined,
      routingKey: 'k',
      exchange: 'e',
      headers: {},
      isRedelivered: false,
      priority: undefined,
      receivedAtMs: 0,
      publishedAtSeconds: undefined,
      isCurrent: true,
      isSettled: false,
      unreadableReason: undefined,
      ack: noop,
      nackToDeadLetterExchange: noop,
      rejectForNativeRetry: noop,
      discardContent: () => undefined,
      requeue: () => {
        this.requeued.push(messageId);
        this.#unsettled.delete(delivery);
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

test('it begins one by one; a message without risk opens it, and so does an empty queue', async () => {
  assert.equal(new TestWorker().quarantine.mode, 'oneByOne');
  const { worker } = await workerOn('none');
  assert.deepEqual([worker.modes, worker.names], [['prefetch'], ['none']]);
  const { worker: idle } = await workerOn();
  assert.deepEqual(idle.modes, ['prefetch']);
});

test('redelivered messages run beside each other, as many as are allowed, and are pulled one by one', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `redelivered ${name}`);
  const { worker, deliveries } = await workerOn(...names);
  assert.deepEqual(worker.names, names.slice(0, 6));
  assert.equal(worker.quarantine.mode, 'oneByOne');
  worker.settle(deliveries[0]!);
  await worker.turn();
  assert.deepEqual(worker.names, names.slice(1));
});

test('suspects run a few at a time before the first message without risk, and beside the others after it', async () => {
  const suspects = ['a', 'b', 'c', 'd'].map((name) => `suspect ${name}`);
  const { worker, deliveries } = await workerOn(...suspects, 'none');
  assert.deepEqual(worker.names, suspects.slice(0, 3));
  worker.settle(deliveries[0]!);
  await worker.turn();
  assert.deepEqual(worker.names, suspects.slice(1));
  worker.settle(deliveries[1]!);
  await worker.turn();
  assert.deepEqual(worker.names, [...suspects.slice(2), 'none']);
  assert.equal(worker.quarantine.mode, 'prefetch');
  worker.publish('suspect e', 'suspect f', 'none g');
  await worker.turn();
  assert.equal(worker.running.size, 6);
});

test('a message near its limit waits until no other is unsettled, then runs alone, then the next is pulled', async () => {
  const { worker, deliveries } = await workerOn('none', 'suspect', 'nearLimit', 'none b');
  const [noRisk, suspect, nearLimit] = deliveries;
  assert.deepEqual(worker.names, ['none', 'suspect']);
  worker.settle(noRisk!);
  assert.deepEqual(worker.names, ['suspect']);
  worker.settle(suspect!);
  assert.deepEqual(worker.names, ['nearLimit']);
  await worker.turn();
  assert.equal(worker.queuedCount, 1);
  worker.settle(nearLimit!);
  await worker.turn();
  assert.deepEqual([worker.names, worker.quarantine.mode], [['none b'], 'prefetch']);
});

test('of several messages near their limit in the queue only one is unsettled at a time', async () => {
  const { worker, deliveries } = await workerOn('nearLimit a', 'nearLimit b', 'nearLimit c');
  for (const delivery of deliveries) {
    assert.deepEqual([worker.names, worker.unsettledCount], [[delivery.messageId], 1]);
    worker.settle(delivery);
    await worker.turn();
  }
  assert.equal(worker.quarantine.mode, 'prefetch');
});

test('a message near its limit waits until the pause is in force, because deliveries on their way would run beside it', async () => {
  const { worker, deliveries } = await workerOn('none');
  worker.settle(deliveries[0]!);
  worker.isPauseSlow = true;
  worker.publish('nearLimit');
  await worker.turn();
  assert.deepEqual(worker.names, []);
  worker.confirmPause();
  assert.deepEqual(worker.names, ['nearLimit']);
});

/** Several messages near their limit, which can arrive together in prefetch mode. */
async function withThree(isRequeueFree: boolean): Promise<TestWorker> {
  const { worker, deliveries } = await workerOn('none');
  worker.isRequeueFree = isRequeueFree;
  const names = ['a', 'b', 'c'].map((name) => `nearLimit ${name}`);
  worker.isPauseSlow = true;
  const nearLimit = worker.publish(...names);
  await worker.turn();
  for (const late of nearLimit.slice(1)) worker.arrive(late);
  worker.confirmPause();
  worker.settle(deliveries[0]!);
  return worker;
}

test('of several unsettled messages near their limit one runs and the others are requeued', async () => {
  const worker = await withThree(true);
  assert.deepEqual(worker.names, ['nearLimit a']);
  assert.deepEqual(worker.requeued, ['nearLimit b', 'nearLimit c']);
});

test('where a requeue counts like a crash the others stay unsettled, and run one after the other', async () => {
  const worker = await withThree(false);
  assert.deepEqual([worker.names, worker.requeued], [['nearLimit a'], []]);
  worker.settle([...worker.running][0]!);
  assert.deepEqual(worker.names, ['nearLimit b']);
});

test('a new channel forgets the deliveries of the old one', async () => {
  const { worker } = await workerOn('none', 'nearLimit');
  worker.quarantine.reset();
  assert.equal(worker.quarantine.mode, 'oneByOne');
  await worker.turn();
  assert.deepEqual(worker.names, ['none']);
});

test('nothing is pulled while nothing may be in flight', async () => {
  const worker = new TestWorker();
  worker.maxInFlight = 0;
  worker.publish('none');
  await worker.turn();
  assert.equal(worker.queuedCount, 1);
  worker.maxInFlight = 1;
  await worker.turn();
  assert.deepEqual(worker.names, ['none']);
});

test('property: a message near its limit runs alone, suspects are few before the first message without risk, and every message is settled', async () => {
  const names = fc.constantFrom('none', 'redelivered', 'suspect', 'nearLimit');
  const steps = fc.constantFrom('settle', 'turn', 'pause');
  await fc.assert(
    fc.asyncProperty(
      fc.array(names, { maxLength: 40 }),
      fc.array(steps, { maxLength: 40 }),
      fc.boolean(),
      fc.boolean(),
      async (published, played, isRequeueFree, isPauseSlow) => {
        const worker = new TestWorker();
        Object.assign(worker, { isRequeueFree, isPauseSlow });
        worker.publish(...published);
        let settledCount = 0;
        let hasSeenNoRisk = false;
        const check = () => {
          const countOf = (wanted: CrashRisk) =>
            [...worker.running].filter(({ risk }) => risk === wanted).length;
          hasSeenNoRisk ||= countOf('none') > 0;
          assert.ok(
            countOf('nearLimit') === 0 || worker.running.size === 1,
            worker.names.join(', '),
          );
          if (!hasSeenNoRisk) assert.ok(countOf('suspect') <= SUSPECT_CONCURRENCY);
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
        assert.deepEqual([worker.unsettledCount, worker.queuedCount], [0, 0]);
        assert.equal(settledCount + worker.requeued.length, published.length);
      },
    ),
  );
});
