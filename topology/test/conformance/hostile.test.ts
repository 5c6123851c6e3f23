/** Goal: headers of a hostile client have no effect. Method: forged deaths, header bombs and CC, written frame by frame. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { declareTopology } from '@fit/topology';
import { brokerFacts } from '../support/brokerFacts.ts';
import { manyHeaders, nestedHeader, publishRaw } from '../support/publishRaw.ts';
import { TestTopology } from '../support/testTopology.ts';
import { manyDeaths } from './manyDeaths.ts';

const declaration = declareTopology({
  exchange: 'jobs',
  kinds: { one: { key: 'job.one', queue: 'one', tiers: [40, 80, 120] } },
});

const death = (queue: string, reason: string, count: unknown) => ({
  queue,
  reason,
  count,
  exchange: 'jobs',
  'routing-keys': ['job.one'],
  time: { '!': 'timestamp', value: 1_700_000_000 },
});

const FORGED: Readonly<Record<string, Record<string, unknown>>> = {
  'spent budget': { 'x-death': [death('one', 'rejected', 99)] },
  'text for a count': { 'x-death': [death('one', 'rejected', 'many')] },
  'no list': { 'x-death': 'one' },
  'no tables': { 'x-death': ['one', 7, null] },
  'expired in main': {
    'x-death': [death('one', 'expired', 1)],
    'x-first-death-reason': 'expired',
    'x-first-death-queue': 'one',
    'x-last-death-reason': 'expired',
    'x-last-death-queue': 'one',
  },
  'a claim of crashes': { 'x-acquired-count': 99, 'x-delivery-count': 99 },
  'a claim of a cause': { 'death-cause': 'crashed' },
};

type End = readonly [cause: string, attempts: readonly number[] | undefined];

const HONEST: End = ['exhausted', [1, 2, 3, 4]];

/**
 * Where the broker goes on with what a client sent: misshapen ones would end its dead-lettering, and are parked before an
 * attempt; a forged first death is believed, and ends the retries at the first rejection.
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
): Promise<{ environment: TestTopology; attempts: Map<string, number[]> }> {
  const environment = await TestTopology.open(t, declaration);
  await environment.publisher();
  const attempts = new Map<string, number[]>();
  await environment.worker({
    circuitBreaker: false,
    run: ({ delivery, attempt }) => {
      const id = delivery.messageId ?? 'none';
      attempts.set(id, [...(attempts.get(id) ?? []), attempt.number]);
      throw new Error('again');
    },
  });
  return { environment, attempts };
}

test('forged deaths neither spend nor add attempts: each message has four by its key, then is a dead letter', async (t) => {
  const { environment, attempts } = await openFailing(t);
  const channel = await environment.model.createConfirmChannel();
  const refused: string[] = [];
  channel.on('error', () => undefined);
  for (const [messageId, headers] of Object.entries(FORGED))
    channel.publish('jobs', 'job.one', Buffer.from('{}'), { messageId, headers }, (error) => {
      if (error !== null) refused.push(messageId);
    });
  await channel.waitForConfirms();
  assert.deepEqual(refused, []);
  const names = Object.keys(FORGED);
  const deadLetters = await environment.takeDeadLetters(names.length);
  assert.deepEqual(deadLetters.map(({ id }) => id).sort(), names.toSorted());
  const { continuesForgedDeaths } = await brokerFacts();
  for (const { id, cause } of deadLetters) {
    const [wantedCause, wantedAttempts] = continuesForgedDeaths
      ? (BELIEVED[id!] ?? HONEST)
      : HONEST;
    assert.equal(cause, wantedCause, id);
    assert.deepEqual(attempts.get(id!), wantedAttempts, id);
  }
  await environment.expectEmpty();
});

test('a message with unreadable headers is a dead letter, the worker survives, and other messages are done', async (t) => {
  const { environment, attempts } = await openFailing(t);
  const raw = { exchange: 'jobs', key: 'job.one', body: Buffer.from('{}') };
  await publishRaw(environment.amqpUrl, { ...raw, messageId: 'many', table: manyHeaders(10_000) });
  await publishRaw(environment.amqpUrl, { ...raw, messageId: 'deaths', table: manyDeaths(1_000) });
  await publishRaw(environment.amqpUrl, {
    ...raw,
    messageId: 'nested',
    table: nestedHeader(20_000),
  });
  await publishRaw(environment.amqpUrl, { ...raw, messageId: 'plain', table: manyHeaders(1) });
  // The nested message has no id any more, because its properties are lost with its headers.
  const deadLetters = await environment.takeDeadLetters(4);
  await environment.expectEmpty();
  const causes = deadLetters.map(({ cause }) => cause).sort();
  assert.deepEqual(causes, ['exhausted', 'exhausted', 'exhausted', 'malformed']);
  for (const id of ['many', 'deaths', 'plain'])
    assert.deepEqual(attempts.get(id), [1, 2, 3, 4], id);
  assert.equal(attempts.size, 3);
});

/** What each comes to. The dead-lettering of the first rejection sends to the message's own keys: main has none of its own. */
const COPIED: Readonly<
  Record<string, { headers: object; deadLetters: string[]; attempts: number[] }>
> = {
  // Straight into the dead-letter queue beside its own first wait: no death explains its key there.
  'cc of the last tier': {
    headers: { CC: ['one.r3'] },
    deadLetters: ['one.r3 exhausted', 'job.one unknown'],
    attempts: [1, 2, 3, 4],
  },
  'cc of the public key': {
    headers: { CC: ['job.one'] },
    deadLetters: ['one.r3 exhausted'],
    attempts: [1, 2, 3, 4],
  },
  // Also into the third wait, from where the copy has its last attempt.
  'bcc of a tier': {
    headers: { BCC: ['one.r2'] },
    deadLetters: ['one.r3 exhausted', 'one.r3 exhausted'],
    attempts: [1, 2, 3, 4, 4],
  },
};

test('CC and BCC make at most one more copy, which becomes a dead letter; no message circulates', async (t) => {
  const { environment, attempts } = await openFailing(t);
  const channel = await environment.model.createConfirmChannel();
  for (const [messageId, { headers }] of Object.entries(COPIED))
    channel.publish('jobs', 'job.one', Buffer.from('{}'), { messageId, headers });
  await channel.waitForConfirms();
  const wantedCount = Object.values(COPIED).flatMap(({ deadLetters }) => deadLetters).length;
  const deadLetters = await environment.takeDeadLetters(wantedCount);
  await environment.expectEmpty();
  const byId = Map.groupBy(deadLetters, ({ id }) => id ?? 'none');
  for (const [id, wanted] of Object.entries(COPIED)) {
    const ends = byId.get(id)?.map(({ key, cause }) => `${key} ${cause}`);
    assert.deepEqual(ends?.sort(), wanted.deadLetters.toSorted(), id);
    assert.deepEqual(attempts.get(id)?.toSorted(), wanted.attempts, id);
  }
  assert.equal(deadLetters.length, wantedCount);
});
