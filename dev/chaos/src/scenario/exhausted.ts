/** Every attempt fails until the jobs are dead; then the cause is removed, and a replay makes all of them run again. */
import { eventually } from '@fit/stack/testing';
import { mismatch } from '../ledger/mismatch.ts';
import { TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario, type ScenarioOptions } from './scenario.ts';

const ATTEMPT_COUNT = 4;

export const exhausted: Scenario = {
  name: 'exhausted',
  description:
    'failure rate 1: all dead after exactly 4 attempts; failure rate 0 and one replay: all stored',
  execute: async (options) =>
    await executeExhaustion(options, { isRecorderOn: true, isReplayKilled: false }),
};

export interface ExhaustionOptions {
  /** Whether the dead-letter recorder is on: off, dead letters stay on the broker until the replay takes them. */
  readonly isRecorderOn: boolean;
  /** Whether a first replay is killed half-way. The second must finish what the first began. */
  readonly isReplayKilled: boolean;
}

export async function executeExhaustion(
  { userCount = 1_000, report }: ScenarioOptions,
  { isRecorderOn, isReplayKilled }: ExhaustionOptions,
) {
  const env = {
    COACH_FAILURE_RATE: '1',
    FIT_TIERS: '1s,2s,4s',
    DEAD_LETTER_RECORDER: isRecorderOn ? 'on' : 'off',
  };
  return await TestEnvironment.with({ env, coachCount: 1, report }, async (environment) => {
    await environment.waitForRun(await environment.createUsersAndRequestRun(userCount));
    const deadLetterCount = isRecorderOn ? 0 : userCount;
    const depth = async () => (await environment.readDepths())['createWodQueue.dead'] ?? 0;
    await eventually(async () => (await depth()) === deadLetterCount, {
      deadlineMs: 30_000,
      intervalMs: 200,
      describe: async () => `${await depth()} dead letters instead of ${deadLetterCount}`,
    });
    const { dead } = await environment.checkConsistency();
    const { jobs } = await environment.readLedger();
    const otherCount = jobs.filter(({ attempts }) => attempts.length !== ATTEMPT_COUNT).length;
    await environment.restartServices({ COACH_FAILURE_RATE: '0' });
    // Slow enough to be killed half-way.
    const killedExitCode = isReplayKilled
      ? await environment.replay(['--rate', '200'], 2_500)
      : null;
    const exitCode = await environment.replay();
    const consistency = await environment.checkConsistency();
    return {
      consistency,
      figures: { exhausted: dead['exhausted'] ?? 0, deadLettersOnBroker: deadLetterCount },
      failures: [
        ...brokenGuarantees(consistency),
        ...mismatch('dead before the replay', dead, { exhausted: userCount }),
        ...mismatch(`jobs without exactly ${ATTEMPT_COUNT} attempts`, otherCount, 0),
        ...mismatch('exit code of the killed replay', killedExitCode, null),
        ...mismatch('exit code of the replay', exitCode, 0),
        ...mismatch('workouts', consistency.workouts, userCount),
        ...mismatch('dead-letter queue', consistency.depths['createWodQueue.dead'], 0),
      ],
    };
  });
}
