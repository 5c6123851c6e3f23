/** The coach is frozen, dead, slow, or fails every attempt. */
import type { System } from '@fit/stack';
import {
  coachRestartSideAlerts,
  type Fault,
  fillingSideAlerts,
  stalledSideAlerts,
} from '../fault.ts';

const MAIN_QUEUE = 'createWodQueue';
const COACH_IS_GONE: Fault['labels'] = {
  'TargetDown critical': { job: 'coach' },
  'NoConsumers critical': { queue: MAIN_QUEUE },
};

export const coachFrozen: Fault = {
  name: 'coach frozen',
  description: 'the coach is frozen (SIGSTOP) while it has jobs',
  expected: ['TargetDown critical', 'NoConsumers critical'],
  labels: COACH_IS_GONE,
  sideAlerts: { ...fillingSideAlerts, ...stalledSideAlerts },
  deadlineSeconds: 90,
  inject: ({ system }) => signal(system, 'SIGSTOP'),
  repair: ({ system }) => signal(system, 'SIGCONT'),
};

function signal({ coaches }: System, name: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
  const [coach] = coaches;
  if (coach !== undefined) process.kill(coach.child.pid, name);
  return Promise.resolve();
}

export const coachDown: Fault = {
  name: 'coach down',
  description: 'the only coach is killed',
  expected: ['TargetDown critical', 'NoConsumers critical'],
  labels: COACH_IS_GONE,
  sideAlerts: { ...fillingSideAlerts, ...stalledSideAlerts },
  inject: async ({ system }) => {
    await system.coaches[0]?.child.kill();
  },
  repair: ({ system }) => system.restartCoach(0),
};

export const everyAttemptFails: Fault = {
  name: 'every attempt fails',
  description: 'every attempt fails (COACH_FAILURE_RATE=1)',
  expected: ['RetryStorm warning', 'DeadLetters warning', 'JobFailuresHigh critical'],
  sideAlerts: coachRestartSideAlerts,
  inject: ({ system }) => system.restartCoach(0, { COACH_FAILURE_RATE: '1' }),
  repair: ({ system }) => system.restartCoach(0),
};

export const slowJobs: Fault = {
  name: 'slow jobs',
  description: 'each attempt takes 2 s, one at a time (COACH_WORK_MS=2000)',
  expected: ['BacklogTooLong warning'],
  sideAlerts: { ...coachRestartSideAlerts, ...fillingSideAlerts },
  deadlineSeconds: 120,
  inject: ({ system }) =>
    system.restartCoach(0, {
      COACH_WORK_MS: '2000',
      COACH_CONCURRENCY: '1',
      COACH_PREFETCH: '1',
    }),
  repair: ({ system }) => system.restartCoach(0),
};

export const hangingJobs: Fault = {
  name: 'jobs hang',
  description: 'the only attempt that may run at a time takes ten minutes',
  expected: ['QueueStalled critical'],
  labels: { 'QueueStalled critical': { queue: MAIN_QUEUE } },
  sideAlerts: { ...coachRestartSideAlerts, ...fillingSideAlerts },
  deadlineSeconds: 120,
  inject: ({ system }) =>
    system.restartCoach(0, {
      COACH_WORK_MS: '600000',
      COACH_DEADLINE_MS: '600000',
      COACH_CONCURRENCY: '1',
      COACH_PREFETCH: '1',
    }),
  repair: ({ system }) => system.restartCoach(0),
};
