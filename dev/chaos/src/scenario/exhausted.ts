/** Every attempt fails; then the cause is mended, and one replay brings all of it back. */
import { Arena, until } from '../arena.ts';
import { common, expect, type Scenario } from './scenario.ts';

const TIERS = '1s,2s,4s';

/** Intake on: letters become records at once. Off: they lie on the broker until the replay takes them. */
function exhaustedWith(intake: 'on' | 'off', kills: boolean): Scenario['play'] {
  return async (userCount = 1_000, say) => {
    const env = { COACH_FAILURE_RATE: '1', FIT_TIERS: TIERS, DEAD_LETTER_RECORDER: intake };
    return await Arena.play({ env, coachCount: 1, say }, async (arena) => {
      await arena.follow(await arena.ask(userCount));
      const letters = intake === 'on' ? 0 : userCount;
      await until(async () => (await deadDepth(arena)) === letters, {
        deadlineMs: 30_000,
        describe: async () => `${await deadDepth(arena)} letters instead of ${letters}`,
      });
      const dead = await arena.verdict();
      const { jobs } = await arena.ledger();
      const wrong = jobs.filter(({ attempts }) => attempts.length !== 4).length;
      await arena.restart({ COACH_FAILURE_RATE: '0' });
      // Slow enough to be killed half-way; the second one finishes what the first began.
      const killed = kills ? await arena.replay(['--rate', '200'], 2_500) : undefined;
      const code = await arena.replay();
      const verdict = await arena.verdict();
      return {
        verdict,
        notes: { exhausted: dead.dead['exhausted'] ?? 0, lettersOnBroker: letters },
        failures: [
          ...common(verdict),
          ...expect('dead before the replay', dead.dead, { exhausted: userCount }),
          ...expect('jobs with other than 4 attempts', wrong, 0),
          ...(kills ? expect('exit code of the killed replay', killed, null) : []),
          ...expect('replay exit code', code, 0),
          ...expect('workouts', verdict.workouts, userCount),
          ...expect('dead-letter queue', verdict.depths['createWodQueue.dead'], 0),
        ],
      };
    });
  };
}

async function deadDepth(arena: Arena): Promise<number> {
  return (await arena.verdict()).depths['createWodQueue.dead'] ?? 0;
}

export const exhausted: Scenario = {
  name: 'exhausted',
  about: 'failure rate 1: all dead after exactly 4 attempts; rate 0 and one replay: all stored',
  play: exhaustedWith('on', false),
};

export const letters: Scenario = {
  name: 'letters',
  about:
    'the same with intake off: the letters wait on the broker; the first replay is killed half-way',
  play: exhaustedWith('off', true),
};
