/** More comes than fits: into the main queue, into a wait tier, into the dead-letter queue. */
import { eventually } from '@fit/stack/testing';
import { connect } from 'amqplib';
import { readDepths } from '../../ledger/readLedger.ts';
import { BURNS, FILLS, REFUSES, WAITED } from '../consequences.ts';
import type { Fault } from '../fault.ts';
import { askBroker } from '../managementRequest.ts';

/** One at a time, two a second: whatever comes faster waits. */
const CRAWLING = { COACH_WORK_MS: '500', COACH_CONCURRENCY: '1', COACH_PREFETCH: '1' };
const PURGED_COUNT = 150;
const FLOOD_COUNT = 600;
const LETTER_COUNT = 30;
const STEADY_PER_SECOND = 3;
const TIER_FILLING_PER_SECOND = 30;

export const flooded: Fault = {
  name: 'publisher faster than the queue',
  about: '600 jobs at once into a queue of 200, before a coach that does two a second',
  expected: ['PublishRejected critical', 'QueueNearFull critical'],
  consequences: {
    ...FILLS,
    ...REFUSES,
    ...WAITED,
    'WorkersSaturated warning': 'two a second is all that this coach does',
  },
  inject: async ({ system, load }) => {
    await system.restartCoach(0, CRAWLING);
    await load.burst(FLOOD_COUNT);
  },
  mend: ({ system }) => system.restartCoach(0),
};

export const retriesHeld: Fault = {
  name: 'retries meet a full queue',
  about: 'the same, and every attempt fails: what comes back from its wait finds no room',
  expected: ['DeadLetterHeld warning', 'PublishRejected critical'],
  consequences: {
    ...FILLS,
    ...REFUSES,
    ...WAITED,
    ...BURNS,
    'RetryStorm warning': 'all attempts fail',
    'WorkersSaturated warning': 'two a second is all that this coach does',
  },
  deadlineSeconds: 120,
  inject: async ({ system, load }) => {
    await system.restartCoach(0, { ...CRAWLING, COACH_FAILURE_RATE: '1' });
    await load.burst(FLOOD_COUNT);
  },
  mend: ({ system }) => system.restartCoach(0),
};

export const purged: Fault = {
  name: 'queue purged',
  about: '150 jobs wait in createWodQueue, and somebody purges it: no event tells of the loss',
  expected: ['JobsUnaccounted critical'],
  passing: { 'JobsUnaccounted critical': 'the reconciler publishes them again by itself' },
  consequences: {
    ...FILLS,
    ...REFUSES,
    ...WAITED,
    'WorkersSaturated warning': 'before the purge',
  },
  inject: async (world) => {
    await world.system.restartCoach(0, CRAWLING);
    await world.load.burst(PURGED_COUNT);
    await eventually(async () => (await depthOf(world.stack.amqpUrl)) >= PURGED_COUNT / 2, {
      deadlineMs: 20_000,
      intervalMs: 200,
      describe: async () => `${await depthOf(world.stack.amqpUrl)} wait`,
    });
    await askBroker(world, { method: 'DELETE', path: '/api/queues/%2F/createWodQueue/contents' });
  },
  mend: ({ system }) => system.restartCoach(0),
};

async function depthOf(amqpUrl: string): Promise<number> {
  return (await readDepths(amqpUrl, ['createWodQueue']))['createWodQueue'] ?? 0;
}

export const tierFilling: Fault = {
  name: 'tier filling',
  about:
    '30 jobs a second, all failing: the last tier alone will hold more than the main queue takes',
  expected: ['WaitTierWillOverflow warning'],
  consequences: {
    ...FILLS,
    ...WAITED,
    ...BURNS,
    'RetryStorm warning': 'all attempts fail',
    'DeadLetters warning': 'jobs are exhausted after four attempts',
    'JobSuccessBurn critical': 'all jobs die',
  },
  inject: async ({ system, load }) => {
    load.perSecond = TIER_FILLING_PER_SECOND;
    await system.restartCoach(0, { COACH_FAILURE_RATE: '1' });
  },
  mend: async ({ system, load }) => {
    load.perSecond = STEADY_PER_SECOND;
    await system.restartCoach(0);
  },
};

export const lettersPiling: Fault = {
  name: 'dead-letter queue growing',
  about: 'the intake is off (DEAD_LETTER_RECORDER=off), and 30 messages that are no jobs arrive',
  expected: ['NoConsumers warning'],
  consequences: {
    'DeadLetters warning': 'the letters are counted when the recorder reads them after all',
  },
  inject: async ({ system, stack }) => {
    await system.restartMonolith({ DEAD_LETTER_RECORDER: 'off' });
    const connection = await connect(stack.amqpUrl);
    const channel = await connection.createConfirmChannel();
    for (let count = 0; count < LETTER_COUNT; count += 1)
      channel.publish('jobs', 'job.createWod', Buffer.from('no job'));
    await channel.waitForConfirms();
    await connection.close();
  },
  mend: ({ system }) => system.restartMonolith(),
};
