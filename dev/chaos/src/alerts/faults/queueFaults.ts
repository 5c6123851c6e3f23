/** More messages arrive than a queue takes, or a queue loses its messages. */
import { eventually } from '@fit/stack/testing';
import { connect } from 'amqplib';
import { readDepths } from '../../ledger/readLedger.ts';
import {
  coachRestartSideAlerts,
  type Fault,
  fillingSideAlerts,
  monolithRestartSideAlerts,
} from '../fault.ts';
import { requestManagement } from './declarationFaults.ts';

/** One attempt at a time, two per second: more jobs than that must wait. */
const SLOW_COACH = { COACH_WORK_MS: '500', COACH_CONCURRENCY: '1', COACH_PREFETCH: '1' };
const PURGED_COUNT = 150;
const BURST_COUNT = 600;
const DEAD_LETTER_COUNT = 30;
const STEADY_PER_SECOND = 3;
const TIER_FILLING_PER_SECOND = 30;

export const publisherTooFast: Fault = {
  name: 'publisher faster than the queue',
  description: '600 jobs at once for a queue of 200, and a coach that does two per second',
  expected: ['QueueNearFull critical', 'OutboxStalled critical'],
  mayEndEarly: { 'OutboxStalled critical': 'the queue takes jobs again below its limit' },
  sideAlerts: { ...coachRestartSideAlerts, ...fillingSideAlerts },
  deadlineSeconds: 120,
  inject: async ({ system, load }) => {
    await system.restartCoach(0, SLOW_COACH);
    await load.burst(BURST_COUNT);
  },
  repair: ({ system }) => system.restartCoach(0),
};

export const retriesMeetFullQueue: Fault = {
  name: 'retries meet a full queue',
  description:
    'the same, and every attempt fails: a retry finds the main queue full after its wait',
  expected: ['QueueStalled warning', 'QueueNearFull critical'],
  sideAlerts: {
    ...coachRestartSideAlerts,
    ...fillingSideAlerts,
    'RetryStorm warning': 'all attempts fail',
    'DeadLetters warning': 'some jobs have used up their attempts',
    'JobFailuresHigh critical': 'all jobs that end are dead',
  },
  deadlineSeconds: 120,
  inject: async ({ system, load }) => {
    await system.restartCoach(0, { ...SLOW_COACH, COACH_FAILURE_RATE: '1' });
    await load.burst(BURST_COUNT);
  },
  repair: ({ system }) => system.restartCoach(0),
};

export const queuePurged: Fault = {
  name: 'queue purged',
  description: '150 jobs wait in createWodQueue, and somebody purges it: no event reports the loss',
  expected: ['JobsUnaccounted critical'],
  mayEndEarly: { 'JobsUnaccounted critical': 'the reconciler publishes the jobs again' },
  sideAlerts: { ...coachRestartSideAlerts, ...fillingSideAlerts },
  inject: async (environment) => {
    await environment.system.restartCoach(0, SLOW_COACH);
    await environment.load.burst(PURGED_COUNT);
    const depth = async () => await mainQueueDepth(environment.stack.amqpUrl);
    await eventually(async () => (await depth()) >= PURGED_COUNT / 2, {
      deadlineMs: 20_000,
      describe: async () => `${await depth()} jobs wait`,
    });
    await requestManagement(environment, {
      method: 'DELETE',
      path: '/api/queues/%2F/createWodQueue/contents',
    });
  },
  repair: ({ system }) => system.restartCoach(0),
};

async function mainQueueDepth(amqpUrl: string): Promise<number> {
  return (await readDepths(amqpUrl, ['createWodQueue']))['createWodQueue'] ?? 0;
}

export const tierFills: Fault = {
  name: 'tier filling',
  description:
    '30 jobs per second, all failing: the last tier alone will hold more than the main queue takes',
  expected: ['RetryStorm warning'],
  sideAlerts: {
    ...coachRestartSideAlerts,
    ...fillingSideAlerts,
    'QueueStalled warning': 'retries return to a full queue',
    'DeadLetters warning': 'jobs are dead after four attempts',
    'JobFailuresHigh critical': 'all jobs die',
  },
  inject: async ({ system, load }) => {
    load.perSecond = TIER_FILLING_PER_SECOND;
    await system.restartCoach(0, { COACH_FAILURE_RATE: '1' });
  },
  repair: async ({ system, load }) => {
    load.perSecond = STEADY_PER_SECOND;
    await system.restartCoach(0);
  },
};

export const deadLettersGrow: Fault = {
  name: 'dead-letter queue growing',
  description:
    'the dead-letter recorder is off (DEAD_LETTER_RECORDER=off), and 30 messages that are no jobs arrive',
  expected: ['NoConsumers warning'],
  sideAlerts: {
    ...monolithRestartSideAlerts,
    'DeadLetters warning': 'the dead letters are counted when the recorder reads them',
  },
  inject: async ({ system, stack }) => {
    await system.restartMonolith({ DEAD_LETTER_RECORDER: 'off' });
    const connection = await connect(stack.amqpUrl);
    const channel = await connection.createConfirmChannel();
    for (let count = 0; count < DEAD_LETTER_COUNT; count += 1)
      channel.publish('jobs', 'job.createWod', Buffer.from('no job'));
    await channel.waitForConfirms();
    await connection.close();
  },
  repair: ({ system }) => system.restartMonolith(),
};
