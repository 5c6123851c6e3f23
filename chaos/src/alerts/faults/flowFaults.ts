/** More comes than fits: into the main queue, into a wait tier, into the dead-letter queue. */
import { connect } from 'amqplib';
import type { Fault } from '../fault.ts';

const FLOOD_COUNT = 600;
const LETTER_COUNT = 30;
const STEADY_PER_SECOND = 3;
const TIER_FILLING_PER_SECOND = 30;

export const flooded: Fault = {
  name: 'publisher faster than the queue',
  about: '600 jobs at once into a queue of 200, before a coach that does two a second',
  expected: ['PublishRejected critical', 'QueueNearFull critical'],
  inject: async ({ system, load }) => {
    await system.restartCoach(0, {
      ...{ COACH_WORK_MS: '500', COACH_CONCURRENCY: '1', COACH_PREFETCH: '1' },
    });
    await load.burst(FLOOD_COUNT);
  },
  mend: ({ system }) => system.restartCoach(0),
};

export const tierFilling: Fault = {
  name: 'tier filling',
  about:
    '30 jobs a second, all failing: the last tier alone will hold more than the main queue takes',
  expected: ['WaitTierWillOverflow warning'],
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
  about: 'the intake is off (DEAD_LETTER_INTAKE=off), and 30 messages that are no jobs arrive',
  expected: ['NoConsumers warning'],
  inject: async ({ system, stack }) => {
    await system.restartMonolith({ DEAD_LETTER_INTAKE: 'off' });
    const connection = await connect(stack.amqpUrl);
    const channel = await connection.createConfirmChannel();
    for (let count = 0; count < LETTER_COUNT; count += 1)
      channel.publish('jobs', 'job.createWod', Buffer.from('no job'));
    await channel.waitForConfirms();
    await connection.close();
  },
  mend: ({ system }) => system.restartMonolith(),
};
