/** More messages arrive than a queue takes, or a queue loses its messages. */
import { eventually } from '@fit/stack/testing';
import { connect } from 'amqplib';
import { readDepths } from '../../ledger/readLedger.ts';
import type { AlertTestEnvironment } from '../alertTestEnvironment.ts';
import {
  coachRestartSideAlerts,
  type Fault,
  fillingSideAlerts,
  foreignMessageSideAlerts,
  monolithRestartSideAlerts,
  type Reasons,
} from '../fault.ts';
import { requestManagement } from './declarationFaults.ts';

/** One attempt at a time, two per second: more jobs than that must wait. */
const SLOW_COACH = { COACH_WORK_MS: '500', COACH_CONCURRENCY: '1', COACH_PREFETCH: '1' };
const PURGED_COUNT = 150;
const BURST_COUNT = 90;
const FIRST_WAIT_QUEUE = 'createWodQueue.wait.1.1s';
/** More than the queue takes, several times a second: a place that becomes free is taken before a retry returns. */
const FILL_COUNT = 50;
const FILL_INTERVAL_MS = 100;
const DEAD_LETTER_COUNT = 30;
const STEADY_PER_SECOND = 3;
const TIER_FILLING_PER_SECOND = 30;

const FULL_MAY_END: Reasons = {
  'QueueNearFull critical': 'a full queue takes messages again only some way below its limit',
};

/** A foreign program that fills the main queue: FIT itself fills it only up to half of its limit. */
const filling: { stop?: () => Promise<void> } = {};

/** Keeps the main queue full until `stopFilling`, with messages that are no jobs. */
async function keepFull({ stack }: AlertTestEnvironment): Promise<void> {
  const connection = await connect(stack.amqpUrl);
  const channel = await connection.createConfirmChannel();
  const fill = () => {
    for (let count = 0; count < FILL_COUNT; count += 1)
      channel.publish('jobs', 'job.createWod', Buffer.from('no job'), {}, () => {
        // The broker refuses what the queue has no room for.
      });
  };
  fill();
  const timer = setInterval(fill, FILL_INTERVAL_MS);
  filling.stop = async () => {
    clearInterval(timer);
    await connection.close();
  };
}

async function repairFull({ system }: AlertTestEnvironment): Promise<void> {
  await filling.stop?.();
  await system.restartCoach(0);
}

export const publisherTooFast: Fault = {
  name: 'publisher faster than the queue',
  description:
    'a foreign program keeps the queue of 200 full, and the coach does two messages per second',
  expected: ['QueueNearFull critical'],
  mayEndEarly: FULL_MAY_END,
  sideAlerts: {
    ...coachRestartSideAlerts,
    ...fillingSideAlerts,
    ...foreignMessageSideAlerts,
    'QueueStalled critical': 'what is no job gets no attempt',
  },
  deadlineSeconds: 120,
  inject: async (environment) => {
    await environment.system.restartCoach(0, SLOW_COACH);
    await keepFull(environment);
  },
  repair: repairFull,
};

export const retriesMeetFullQueue: Fault = {
  name: 'retries meet a full queue',
  description:
    'every attempt fails, and then a foreign program fills the queue: a retry finds it full after its wait',
  expected: ['QueueStalled warning', 'QueueNearFull critical'],
  mayEndEarly: FULL_MAY_END,
  sideAlerts: {
    ...coachRestartSideAlerts,
    ...fillingSideAlerts,
    ...foreignMessageSideAlerts,
    'RetryStorm warning': 'all attempts fail',
    'JobFailuresHigh critical': 'all jobs that end are dead',
    'QueueStalled critical': 'what is no job gets no attempt',
  },
  deadlineSeconds: 120,
  inject: async (environment) => {
    const { system, load, stack } = environment;
    await system.restartCoach(0, { ...SLOW_COACH, COACH_FAILURE_RATE: '1' });
    await load.burst(BURST_COUNT);
    const waiting = async () =>
      (await readDepths(stack.amqpUrl, [FIRST_WAIT_QUEUE]))[FIRST_WAIT_QUEUE] ?? 0;
    await eventually(async () => (await waiting()) > 0, {
      deadlineMs: 60_000,
      describe: async () => `${await waiting()} jobs wait in ${FIRST_WAIT_QUEUE}`,
    });
    await keepFull(environment);
  },
  repair: repairFull,
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
    'QueueNearFull critical': 'the retries return',
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
