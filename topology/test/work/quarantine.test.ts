/** Goal: a suspect never runs beside anything. Method: by hand with recorded deliveries, then any mixture by property. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery } from '@fit/topology/amqp';
import fc from 'fast-check';
import { Quarantine, type QuarantineMode } from '../../src/work/quarantine.ts';

interface Parcel extends Delivery {
  readonly isSuspect: boolean;
}

/** A worker's hand: what is in it, what runs, what went back. */
class Hand {
  readonly running = new Set<Parcel>();
  readonly modes: QuarantineMode[] = [];
  readonly givenBack: string[] = [];
  readonly #held = new Set<Parcel>();
  /** The broker takes its time: what is under way still arrives. */
  isPauseSlow = false;
  isPaused = true;
  mayGiveBack = true;
  readonly quarantine = new Quarantine({
    isSuspect: (delivery) => (delivery as Parcel).isSuspect,
    mayGiveBack: () => this.mayGiveBack,
    unsettledCount: () => this.#held.size,
    isPaused: () => this.isPaused,
    run: (delivery) => this.running.add(delivery as Parcel),
    onMode: (mode) => {
      this.modes.push(mode);
      if (mode === 'paused') this.isPaused = !this.isPauseSlow;
    },
  });

  deliver(messageId: string, isSuspect = false): Parcel {
    const noop = () => undefined;
    const parcel: Parcel = {
      ...{ messageId, isSuspect, body: Buffer.of(), routingKey: 'k', exchange: 'e', headers: {} },
      ...{
        isRedelivered: isSuspect,
        isUrgent: false,
        receivedAtMs: 0,
        publishedAtSeconds: undefined,
        isCurrent: true,
        unreadableReason: undefined,
      },
      ...{ ack: noop, reject: noop, delay: noop },
      giveBack: () => {
        this.givenBack.push(messageId);
        this.#held.delete(parcel);
        this.quarantine.onChange();
      },
    };
    this.#held.add(parcel);
    this.quarantine.admit(parcel);
    return parcel;
  }

  settle(parcel: Parcel): void {
    this.running.delete(parcel);
    this.#held.delete(parcel);
    this.quarantine.onChange();
  }

  confirmPause(): void {
    this.isPaused = true;
    this.quarantine.onChange();
  }

  /** Whether the broker would deliver one more. */
  get canArrive(): boolean {
    const { mode } = this.quarantine;
    return mode === 'open' || (mode === 'alone' ? this.#held.size === 0 : !this.isPaused);
  }

  get names(): (string | undefined)[] {
    return [...this.running].map(({ messageId }) => messageId);
  }

  get heldCount(): number {
    return this.#held.size;
  }
}

test('begins alone; the first without a trace opens it', () => {
  const hand = new Hand();
  assert.equal(hand.quarantine.mode, 'alone');
  hand.deliver('plain');
  assert.deepEqual([hand.modes, hand.names], [['open'], ['plain']]);
});

test('a suspect among others: nothing more is taken, it waits for them, then runs by itself', () => {
  const hand = new Hand();
  const others = ['a', 'b'].map((name) => hand.deliver(name));
  const suspect = hand.deliver('suspect', true);
  assert.deepEqual(hand.modes, ['open', 'paused']);
  hand.settle(others[0]!);
  assert.deepEqual(hand.names, ['b']);
  hand.settle(others[1]!);
  assert.deepEqual(hand.names, ['suspect']);
  hand.settle(suspect);
  assert.deepEqual(hand.modes, ['open', 'paused', 'alone']);
});

test('it waits until the pause is in force: what is under way would run beside it', () => {
  const hand = new Hand();
  hand.settle(hand.deliver('a'));
  hand.isPauseSlow = true;
  hand.deliver('suspect', true);
  assert.deepEqual(hand.names, []);
  hand.confirmPause();
  assert.deepEqual(hand.names, ['suspect']);
});

test('of several, one runs and the others go back, so that it cannot take them along', () => {
  const hand = new Hand();
  const plain = hand.deliver('plain');
  for (const name of ['one', 'two', 'three']) hand.deliver(name, true);
  hand.settle(plain);
  assert.deepEqual(hand.names, ['one']);
  assert.deepEqual(hand.givenBack, ['two', 'three']);
});

test('one that another return would bury is kept, and has its turn', () => {
  const hand = new Hand();
  hand.mayGiveBack = false;
  const plain = hand.deliver('plain');
  const one = hand.deliver('one', true);
  hand.deliver('two', true);
  hand.settle(plain);
  assert.deepEqual([hand.names, hand.givenBack], [['one'], []]);
  hand.settle(one);
  assert.deepEqual(hand.names, ['two']);
});

test('a new channel forgets what the old one brought', () => {
  const hand = new Hand();
  hand.deliver('plain');
  hand.deliver('suspect', true);
  hand.quarantine.reset();
  assert.equal(hand.quarantine.mode, 'alone');
  hand.quarantine.onChange();
  assert.deepEqual(hand.names, ['plain']);
});

test('property: no suspect runs beside another, and nothing is forgotten', () => {
  const steps = fc.constantFrom('plain', 'suspect', 'settle', 'pause');
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 80 }), fc.boolean(), (names, mayGiveBack) => {
      const hand = new Hand();
      Object.assign(hand, { mayGiveBack, isPauseSlow: true });
      const count = { arrived: 0, settled: 0 };
      const check = () => {
        const suspects = [...hand.running].filter(({ isSuspect }) => isSuspect);
        assert.ok(suspects.length === 0 || hand.running.size === 1, hand.names.join(', '));
      };
      const settleOne = () => {
        const [first] = hand.running;
        if (first === undefined) return false;
        hand.settle(first);
        count.settled += 1;
        check();
        return true;
      };
      for (const name of names) {
        if (name === 'settle') settleOne();
        else if (name === 'pause') hand.confirmPause();
        else if (hand.canArrive) {
          count.arrived += 1;
          hand.deliver(name, name === 'suspect');
        }
        check();
      }
      hand.confirmPause();
      while (settleOne());
      assert.equal(hand.heldCount, 0);
      assert.equal(count.settled + hand.givenBack.length, count.arrived);
    }),
  );
});
