/** Goal: headers of a stranger steer nothing. Method: forged deaths, header bombs and CC, put on the wire by hand. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { declareTopology } from '@fit/topology';
import { Worker } from '@fit/topology/work';
import { Bench } from '../support/bench.ts';
import { lineFacts } from '../support/brokerLine.ts';
import { manyHeaders, nestedHeader, publishRaw } from '../support/publishRaw.ts';

const declaration = declareTopology({
  exchange: 'jobs',
  kinds: { one: { key: 'job.one', queue: 'one', tiers: [40, 80, 120] } },
});

const death = (queue: string, reason: string, count: unknown) => ({
  ...{ queue, reason, count, exchange: 'jobs', 'routing-keys': ['job.one'] },
  time: { '!': 'timestamp', value: 1_700_000_000 },
});

const FORGED: Readonly<Record<string, Record<string, unknown>>> = {
  'spent budget': { 'x-death': [death('one', 'rejected', 99)] },
  'text for a count': { 'x-death': [death('one', 'rejected', 'many')] },
  'no list': { 'x-death': 'one' },
  'no tables': { 'x-death': ['one', 7, null] },
  '400 deaths': {
    'x-death': Array.from({ length: 400 }, (_, index) => death(`q${index}`, 'expired', index)),
  },
  'expired in main': {
    'x-death': [death('one', 'expired', 1)],
    ...{ 'x-first-death-reason': 'expired', 'x-first-death-queue': 'one' },
    ...{ 'x-last-death-reason': 'expired', 'x-last-death-queue': 'one' },
  },
  'a claim of crashes': { 'x-acquired-count': 99 },
};

type End = readonly [cause: string, attempts: readonly number[] | undefined];

const HONEST: End = ['exhausted', [1, 2, 3, 4]];

/**
 * Where the broker goes on with what a client sent: misshapen ones would end its dead-lettering, and are parked before an
 * attempt; a forged first death is believed, and ends the ladder at the first rejection.
 */
const BELIEVED: Readonly<Record<string, End>> = {
  'text for a count': ['malformed', undefined],
  'no list': ['malformed', undefined],
  'no tables': ['malformed', undefined],
  'expired in main': ['expired', [1]],
};

/** A worker that fails each time. */
async function openFailing(
  t: TestContext,
): Promise<{ bench: Bench; attempts: Map<string, number[]> }> {
  const bench = await Bench.open(t, declaration);
  await bench.publisher();
  const attempts = new Map<string, number[]>();
  const { amqpUrl, managementUrl } = bench;
  const worker = await Worker.open({
    ...{ declaration, kind: 'one', amqpUrl, managementUrl, breaker: false },
    run: ({ delivery, attempt }) => {
      const id = delivery.messageId ?? 'none';
      attempts.set(id, [...(attempts.get(id) ?? []), attempt.number]);
      throw new Error('again');
    },
  });
  bench.closeLater(() => worker.close());
  return { bench, attempts };
}

test('forged deaths spend nothing and add nothing: four attempts each, by the key, and a letter', async (t) => {
  const { bench, attempts } = await openFailing(t);
  const channel = await bench.model.createConfirmChannel();
  const refused: string[] = [];
  channel.on('error', () => undefined);
  for (const [messageId, headers] of Object.entries(FORGED))
    channel.publish('jobs', 'job.one', Buffer.from('{}'), { messageId, headers }, (error) => {
      if (error !== null) refused.push(messageId);
    });
  await channel.waitForConfirms();
  assert.deepEqual(refused, []);
  const names = Object.keys(FORGED);
  const letters = await bench.takeLetters(names.length);
  assert.deepEqual(letters.map(({ id }) => id).sort(), names.toSorted());
  const { continuesForgedDeaths } = await lineFacts();
  for (const { id, cause } of letters) {
    const [wantedCause, wantedAttempts] = continuesForgedDeaths
      ? (BELIEVED[id!] ?? HONEST)
      : HONEST;
    assert.equal(cause, wantedCause, id);
    assert.deepEqual(attempts.get(id!), wantedAttempts, id);
  }
  await bench.expectEmpty();
});

test('header bombs: the worker lives, what cannot be read is a letter, its neighbours are worked off', async (t) => {
  const { bench, attempts } = await openFailing(t);
  const raw = { exchange: 'jobs', key: 'job.one', body: Buffer.from('{}') };
  await publishRaw(bench.amqpUrl, { ...raw, messageId: 'many', table: manyHeaders(10_000) });
  await publishRaw(bench.amqpUrl, { ...raw, messageId: 'nested', table: nestedHeader(20_000) });
  await publishRaw(bench.amqpUrl, { ...raw, messageId: 'plain', table: manyHeaders(1) });
  // The nested one cannot tell its id any more; it went with its headers.
  const letters = await bench.takeLetters(3);
  const causes = letters.map(({ cause }) => cause).sort();
  assert.deepEqual(causes, ['exhausted', 'exhausted', 'malformed']);
  assert.deepEqual([...attempts.keys()].sort(), ['many', 'plain']);
  await bench.expectEmpty();
});

test('CC and BCC: at most one more copy, which ends as a letter; nothing goes round', async (t) => {
  const { bench, attempts } = await openFailing(t);
  const channel = await bench.model.createConfirmChannel();
  for (const [messageId, headers] of Object.entries({
    'cc of the last tier': { CC: ['one.r3'] },
    'cc of the public key': { CC: ['job.one'] },
    bcc: { BCC: ['one.r2'] },
  }))
    channel.publish('jobs', 'job.one', Buffer.from('{}'), { messageId, headers });
  await channel.waitForConfirms();
  const letters = await bench.takeLetters(4);
  await eventually(async () => (await heldAnywhere(bench)) === 0, {
    describe: async () => `${await heldAnywhere(bench)} are somewhere`,
  });
  const counts = Map.groupBy(letters, ({ id }) => id);
  t.diagnostic(JSON.stringify(letters));
  t.diagnostic(JSON.stringify([...attempts]));
  assert.equal(counts.get('cc of the public key')?.length, 1);
  for (const id of ['bcc', 'cc of the last tier'])
    assert.ok([1, 2].includes(counts.get(id)?.length ?? 0), id);
  for (const [id, numbers] of attempts) assert.ok(numbers.length <= 8, `${id}: ${numbers.join()}`);
});

async function heldAnywhere(bench: Bench): Promise<number> {
  const counts = await Promise.all(bench.plan.queues.map(({ name }) => bench.readyCount(name)));
  return counts.reduce((sum, count) => sum + count, 0);
}
