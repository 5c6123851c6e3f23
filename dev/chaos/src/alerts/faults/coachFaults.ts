/** The coach is frozen, dead, slow, or fails at everything. */
import type { System } from '@fit/stack';
import { BURNS, FILLS, REFUSES, WAITED } from '../consequences.ts';
import type { Fault } from '../fault.ts';

const MAIN = 'createWodQueue';
const GONE: Fault['labels'] = {
  'TargetDown critical': { job: 'coach' },
  'NoConsumers critical': { queue: MAIN },
};

export const frozen: Fault = {
  name: 'consumer paused',
  about: 'the coach is frozen (SIGSTOP) with jobs in hand',
  expected: ['TargetDown critical', 'NoConsumers critical'],
  labels: GONE,
  consequences: { ...FILLS, ...REFUSES, ...WAITED },
  deadlineSeconds: 90,
  inject: ({ system }) => signal(system, 'SIGSTOP'),
  mend: ({ system }) => signal(system, 'SIGCONT'),
};

function signal({ coaches }: System, name: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
  const [coach] = coaches;
  if (coach !== undefined) process.kill(coach.child.pid, name);
  return Promise.resolve();
}

export const coachDown: Fault = {
  name: 'coach down',
  about: 'the only coach is killed',
  expected: ['TargetDown critical', 'NoConsumers critical'],
  labels: GONE,
  consequences: { ...FILLS, ...REFUSES, ...WAITED },
  inject: async ({ system }) => {
    await system.coaches[0]?.child.kill();
  },
  mend: ({ system }) => system.restartCoach(0),
};

export const failing: Fault = {
  name: 'failure rate 1',
  about: 'every attempt fails (COACH_FAILURE_RATE=1)',
  expected: ['RetryStorm warning', 'DeadLetters warning', 'JobSuccessBurn critical'],
  consequences: BURNS,
  inject: ({ system }) => system.restartCoach(0, { COACH_FAILURE_RATE: '1' }),
  mend: ({ system }) => system.restartCoach(0),
};

export const slow: Fault = {
  name: 'slow jobs',
  about: 'each attempt takes 2 s, one at a time (COACH_WORK_MS=2000)',
  expected: ['QueueWaitHigh warning', 'WorkersSaturated warning'],
  consequences: { ...FILLS, ...REFUSES, ...WAITED },
  deadlineSeconds: 120,
  inject: ({ system }) =>
    system.restartCoach(0, {
      COACH_WORK_MS: '2000',
      COACH_CONCURRENCY: '1',
      COACH_PREFETCH: '1',
    }),
  mend: ({ system }) => system.restartCoach(0),
};

export const hanging: Fault = {
  name: 'jobs hang',
  about: 'the only attempt that may run at a time takes ten minutes',
  expected: ['QueueStalled critical', 'WorkersSaturated warning'],
  labels: { 'QueueStalled critical': { queue: MAIN } },
  consequences: { ...FILLS, ...REFUSES, ...WAITED },
  deadlineSeconds: 120,
  inject: ({ system }) =>
    system.restartCoach(0, {
      COACH_WORK_MS: '600000',
      COACH_DEADLINE_MS: '600000',
      COACH_CONCURRENCY: '1',
      COACH_PREFETCH: '1',
    }),
  mend: ({ system }) => system.restartCoach(0),
};
