/** Goal: an idle batcher writes at once, a busy one writes in batches, and an outage loses nothing. Method: writes that the test ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { StatementRefused, StoreUnavailable } from '@fit/jobs';
import { Batcher, type BatcherOptions } from '../../src/settle/batcher.ts';

interface Write {
  readonly items: readonly number[];
  readonly end: () => void;
  readonly fail: () => void;
}

function open(change: Partial<BatcherOptions<number>> = {}) {
  const writes: Write[] = [];
  const events: string[] = [];
  let onWrite: (() => void) | undefined;
  const batcher = new Batcher<number>({
    maxCount: 3,
    isCurrent: () => true,
    onRefused: (item) => {
      events.push(`refused ${item}`);
      return Promise.resolve();
    },
    write: (items) =>
      new Promise((resolve, reject) => {
        const fail = () => {
          reject(new Error('out'));
        };
        writes.push({ items, end: resolve, fail });
        onWrite?.();
      }),
    onOutage: (error) => events.push(error.message),
    onRecovery: () => events.push('recovered'),
    ...change,
  });
  const nextWrite = async (count: number): Promise<Write> => {
    while (writes.length < count) await new Promise<void>((resolve) => (onWrite = resolve));
    return writes[count - 1]!;
  };
  return { batcher, writes, events, nextWrite };
}

test('items of one turn of the event loop share a batch; items that arrive during a write go into the next', async () => {
  const { batcher, nextWrite, writes } = open();
  batcher.add(1);
  batcher.add(2);
  const first = await nextWrite(1);
  assert.deepEqual(first.items, [1, 2]);
  for (const item of [3, 4, 5, 6]) batcher.add(item);
  await turn();
  assert.equal(writes.length, 1);
  first.end();
  const second = await nextWrite(2);
  assert.deepEqual(second.items, [3, 4, 5]);
  second.end();
  assert.deepEqual((await nextWrite(3)).items, [6]);
});

test('after it was idle, the batcher writes the next item', async () => {
  const { batcher, nextWrite } = open();
  for (const item of [1, 2, 3]) {
    batcher.add(item);
    const write = await nextWrite(item);
    assert.deepEqual(write.items, [item]);
    write.end();
    await turn();
  }
});

const NEVER_MS = 600_000;

test('a batch that follows a busy one waits until it has enough items', async () => {
  const fill = { enoughCount: 3, busyCount: 2, quietMs: NEVER_MS, limitMs: NEVER_MS };
  const { batcher, nextWrite, writes } = open({ fill });
  batcher.add(1);
  batcher.add(2);
  (await nextWrite(1)).end();
  batcher.add(3);
  await turn();
  await turn();
  assert.equal(writes.length, 1);
  batcher.add(4);
  batcher.add(5);
  const second = await nextWrite(2);
  assert.deepEqual(second.items, [3, 4, 5]);
});

test('a batch that follows a small one, or one of long ago, does not wait', async () => {
  const small = open({
    fill: { enoughCount: 3, busyCount: 2, quietMs: NEVER_MS, limitMs: NEVER_MS },
  });
  small.batcher.add(1);
  (await small.nextWrite(1)).end();
  small.batcher.add(2);
  assert.deepEqual((await small.nextWrite(2)).items, [2]);
  const late = open({ fill: { enoughCount: 3, busyCount: 1, quietMs: NEVER_MS, limitMs: 0 } });
  late.batcher.add(1);
  (await late.nextWrite(1)).end();
  await turn();
  late.batcher.add(2);
  assert.deepEqual((await late.nextWrite(2)).items, [2]);
});

test('a batch waits no longer when no item comes', async () => {
  const fill = { enoughCount: 3, busyCount: 1, quietMs: 1, limitMs: NEVER_MS };
  const { batcher, nextWrite } = open({ fill });
  batcher.add(1);
  (await nextWrite(1)).end();
  batcher.add(2);
  assert.deepEqual((await nextWrite(2)).items, [2]);
});

test('a batch waits no longer than its limit while items come one by one', async () => {
  const fill = { enoughCount: Infinity, busyCount: 1, quietMs: 50, limitMs: 1_000 };
  const { batcher, nextWrite, writes } = open({ maxCount: Infinity, fill });
  batcher.add(1);
  (await nextWrite(1)).end();
  while (writes.length < 2) {
    batcher.add(2);
    await turn();
  }
  assert.ok(writes[1]!.items.length > 1);
});

test('a batcher that is stopped while a batch waits writes nothing more', async () => {
  const fill = { enoughCount: 3, busyCount: 1, quietMs: NEVER_MS, limitMs: NEVER_MS };
  const { batcher, nextWrite, writes } = open({ fill });
  batcher.add(1);
  (await nextWrite(1)).end();
  batcher.add(2);
  await turn();
  batcher.stop();
  await turn();
  await turn();
  assert.equal(writes.length, 1);
});

test('an outage repeats the same batch until it is stored, and is reported once', async () => {
  const { batcher, events, nextWrite } = open();
  batcher.add(1);
  (await nextWrite(1)).fail();
  batcher.add(2);
  (await nextWrite(2)).fail();
  const third = await nextWrite(3);
  assert.deepEqual(third.items, [1]);
  assert.deepEqual(events, ['out']);
  third.end();
  assert.deepEqual((await nextWrite(4)).items, [2]);
  assert.deepEqual(events, ['out', 'recovered']);
});

test('an item that is no longer current is not written', async () => {
  const stale = new Set([1]);
  const { batcher, nextWrite, writes } = open({ isCurrent: (item) => !stale.has(item) });
  batcher.add(1);
  await turn();
  await turn();
  assert.equal(writes.length, 0);
  batcher.add(1);
  batcher.add(2);
  const write = await nextWrite(1);
  assert.deepEqual(write.items, [2]);
  stale.add(2);
  write.fail();
  batcher.add(3);
  assert.deepEqual((await nextWrite(2)).items, [3]);
});

test('a batcher that is stopped during an outage ends at once and writes nothing more', async () => {
  const { batcher, events, nextWrite, writes } = open();
  batcher.add(1);
  (await nextWrite(1)).fail();
  await turn();
  batcher.stop();
  await turn();
  batcher.add(2);
  await turn();
  await turn();
  assert.equal(writes.length, 1);
  assert.deepEqual(events, ['out']);
});

test('a refused item is found by halving; the others are stored, and no outage is reported', async () => {
  const stored: number[] = [];
  const events: string[] = [];
  const done = Promise.withResolvers<undefined>();
  const { batcher } = open({
    maxCount: 8,
    write: (items) => {
      if (items.some((item) => item === 3 || item === 6))
        return Promise.reject(new StatementRefused(new Error('too large')));
      stored.push(...items);
      return Promise.resolve();
    },
    onRefused: (item, error) => {
      events.push(`${item}: ${error.message}`);
      if (item === 6) done.resolve(undefined);
      return Promise.resolve();
    },
    onOutage: () => events.push('outage'),
  });
  for (const item of [1, 2, 3, 4, 5, 6]) batcher.add(item);
  await done.promise;
  assert.deepEqual(stored, [1, 2, 4, 5]);
  assert.deepEqual(events, ['3: too large', '6: too large']);
});

test('a write that fails by contention is repeated, and no outage is reported', async () => {
  const events: string[] = [];
  const done = Promise.withResolvers<undefined>();
  let tries = 0;
  const { batcher } = open({
    write: () => {
      tries += 1;
      if (tries < 3)
        return Promise.reject(new StoreUnavailable('contention', new Error('deadlock')));
      done.resolve(undefined);
      return Promise.resolve();
    },
    onOutage: () => events.push('outage'),
    onRecovery: () => events.push('recovered'),
  });
  batcher.add(1);
  await done.promise;
  await turn();
  assert.deepEqual(events, []);
});
