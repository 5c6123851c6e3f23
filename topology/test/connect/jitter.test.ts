/** Goal: messages that fail together come back apart, none early. Method: a real broker and a simulation of the same topology. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, testBroker } from '@fit/stack/testing';
import {
  createConnection,
  createPublisher,
  createWorker,
  defineTopology,
  readDeaths,
  spreadHeader,
} from '@fit/topology';
import { simulate } from '@fit/topology/testing';
import { z } from 'zod';
import { readDeadLetters } from '../support/readDeadLetters.ts';

const mail = defineTopology({
  exchange: 'mail',
  messages: { send: z.string() },
  queues: { outbox: { on: ['send'], retry: { delays: ['100ms', '300ms'], jitter: 1 } } },
});
const IDS = Array.from({ length: 30 }, (_, index) => `mail-${index}`);
const EXTRA_MS = { '': 0, middle: 200, long: 400 } as const;
type Share = keyof typeof EXTRA_MS;

const shareOf = (id: string) => (spreadHeader(id)['retry-spread'] ?? '') as Share;

test('ids are spread evenly, and one id always alike', () => {
  const counts: Record<string, number> = {};
  for (let index = 0; index < 3_000; index += 1) {
    const share = shareOf(crypto.randomUUID());
    counts[share] = (counts[share] ?? 0) + 1;
  }
  assert.deepEqual(Object.keys(counts).sort(), ['', 'long', 'middle']);
  // Six standard deviations around a third.
  for (const count of Object.values(counts)) assert.ok(Math.abs(count - 1_000) < 155, `${count}`);
  assert.deepEqual(spreadHeader('mail-1'), spreadHeader('mail-1'));
});

test('each message waits its share of both delays, on the broker as in a simulation, and is one dead letter', async (t) => {
  const { amqpUrl } = await testBroker(t);
  const rabbit = await createConnection({ url: amqpUrl, logger: false });
  t.after(() => rabbit.close({ deadline: 0 }));
  const publisher = await createPublisher({ connection: rabbit, topology: mail });
  const seen = new Map<string, number[]>();
  const handler = ({ id }: { readonly id: string }) => {
    seen.set(id, [...(seen.get(id) ?? []), performance.now()]);
    throw new Error('down');
  };
  const worker = { handler, breaker: false } as const;
  await createWorker({ connection: rabbit, topology: mail, queue: 'outbox', ...worker });
  for (const id of IDS) await publisher.publish('send', 'x', { id });
  const letters = await readDeadLetters(amqpUrl, 'outbox.dead', IDS.length);
  await eventually(() => [...seen.values()].every((times) => times.length === 3), {
    describe: () => JSON.stringify([...seen]),
  });
  assert.deepEqual(letters.map(({ id }) => id).sort(), IDS.toSorted());

  const simulation = simulate(mail, { handlers: { outbox: worker } });
  for (const id of IDS) await simulation.publish('send', 'x', { id });
  await simulation.settle();
  const simulated = new Map(simulation.deadLetters('outbox').map((dead) => [dead.id, dead]));
  const waitsOf = (headers: Parameters<typeof readDeaths>[0]) =>
    readDeaths(headers)
      .map(({ queue, reason, count }) => `${queue} ${reason} ${count}`)
      .sort();
  const shares = new Set<string>();
  for (const { id = '', headers } of letters) {
    const share = shareOf(id);
    shares.add(share);
    const waits = waitsOf(headers);
    assert.deepEqual(waits, waitsOf(simulated.get(id)!.headers), id);
    assert.equal(waits.length, share === '' ? 3 : 5, waits.join(', '));
    const [first = 0, , third = 0] = seen.get(id)!;
    const waitedMs = third - first;
    assert.ok(waitedMs >= 400 + EXTRA_MS[share] - 5, `${id} (${share}) waited ${waitedMs} ms`);
  }
  assert.equal(shares.size, 3);
  const ends = simulation
    .history(IDS.find((id) => shareOf(id) === 'long')!)
    .filter(({ what }) => what.includes('last attempt'));
  assert.deepEqual(
    ends.map(({ atMs }) => atMs),
    [800],
  );
});
