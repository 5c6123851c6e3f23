/**
 * Goal: large dead letters neither fill the monolith's memory nor keep each other from being recorded. Method: 300 dead
 * letters of 1 MB and three of the largest size wait on the queue before a real monolith with the heap of production
 * starts.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readMemory } from '@fit/bench';
import { fitTopology } from '@fit/contract';
import { startSystem } from '@fit/stack';
import { eventually, testBroker, testDatabaseUrl } from '@fit/stack/testing';
import { assertTopology } from '@fit/topology/assert';
import { connect } from 'amqplib';
import { MongoClient } from 'mongodb';

const DEAD_LETTER_COUNT = 300;
const DEAD_LETTER_BYTES = 1_000_000;
/** The largest message that the broker accepts: `max_message_size` of the native stack and of compose. */
const LARGEST_BYTES = 1_024 * 1_024;
/**
 * The heap that makes it fast lets it grow to 256 to 324 MiB here (ten runs). It needed 507 MiB, with a heap that was smaller by 120 MiB,
 * when it held these dead letters whole.
 */
const RESIDENT_LIMIT_BYTES = 400 * 1_024 * 1_024;

test('300 dead letters of 1 MB and three of the largest size are recorded within 400 MiB and without an outage', async (t) => {
  const broker = await testBroker(t);
  const folder = await mkdtemp(join(tmpdir(), 'fit-large-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const mongodbUrl = testDatabaseUrl();
  const client = new MongoClient(mongodbUrl);
  t.after(async () => {
    await client.db().dropDatabase();
    await client.close();
  });

  const connection = await connect(broker.amqpUrl);
  await assertTopology(connection, fitTopology({ profile: 'default' }), broker);
  const channel = await connection.createConfirmChannel();
  const headers = { 'death-cause': 'malformed' };
  const send = async (body: Buffer, messageId: string) => {
    channel.publish('createWodQueue.park', 'job.createWod', body, {
      messageId,
      headers,
      persistent: true,
    });
    await channel.waitForConfirms();
  };
  const small = Buffer.from('small');
  const largest = Buffer.alloc(LARGEST_BYTES, 'x');
  for (let number = 0; number < DEAD_LETTER_COUNT; number += 1)
    await send(Buffer.alloc(DEAD_LETTER_BYTES, number), `large-${number}`);
  for (let number = 0; number < 3; number += 1) await send(largest, `largest-${number}`);
  await send(small, 'small');
  await connection.close();

  const system = await startSystem({
    amqpUrl: broker.amqpUrl,
    managementUrl: broker.managementUrl,
    mongodbUrl,
    folder,
    coachCount: 0,
  });
  t.after(() => system.stop());
  const deadLetters = client.db().collection<{ _id: string; messageId: string }>('deadLetters');
  const expectedCount = DEAD_LETTER_COUNT + 4;
  await eventually(async () => (await deadLetters.countDocuments()) === expectedCount, {
    deadlineMs: 120_000,
    describe: async () => `${await deadLetters.countDocuments()} dead letters of ${expectedCount}`,
  });

  const { peakResidentBytes } = readMemory(system.monolith.child.pid);
  assert.ok(
    peakResidentBytes < RESIDENT_LIMIT_BYTES,
    `the monolith's peak was ${peakResidentBytes} bytes`,
  );
  t.diagnostic(`peak of resident memory: ${Math.round(peakResidentBytes / 1_048_576)} MiB`);
  const found = await deadLetters.findOne({ messageId: 'largest-0' });
  assert.equal(found?.['bodyBytes' as never], LARGEST_BYTES);
  assert.equal(found['bodyHash' as never], createHash('sha256').update(largest).digest('hex'));
  const response = await fetch(system.monolith.metricsUrl);
  const metrics = await response.text();
  assert.match(metrics, /^jobs_store_outages_total\{stage="deadLetterRecorder"\} 0$/m);
  assert.match(metrics, /^jobs_stage_failures_total\{stage="deadLetterRecorder"\} 0$/m);
});
