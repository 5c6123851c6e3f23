/** A fifth of all attempts fails: every workout in the end, each retry at its declared tier. */
import { Arena } from '../arena.ts';
import { misplacedRetries } from '../ledger/judge.ts';
import { common, expect, type Scenario } from './scenario.ts';

const TIERS_MS = [5_000, 30_000, 120_000];
/** Fixed tiers, a busy machine: a retry may start this much later than its tier. */
const SLACK_MS = 5_000;

export const flaky: Scenario = {
  name: 'flaky',
  about: '1,000 members, failure rate 0.2, declared tiers: 1,000 workouts, retries at their tiers',
  play: async (userCount = 1_000, say) =>
    await Arena.play({ env: { COACH_FAILURE_RATE: '0.2' }, coachCount: 1, say }, async (arena) => {
      await arena.follow(await arena.ask(userCount));
      const { jobs } = await arena.ledger();
      const misplaced = misplacedRetries(jobs, TIERS_MS, SLACK_MS);
      const before = await arena.verdict();
      // 0.2 to the fourth: one or two of a thousand fail four times. They are what the replay is for.
      const exhausted = before.dead['exhausted'] ?? 0;
      await arena.restart({ COACH_FAILURE_RATE: '0' });
      const code = exhausted > 0 ? await arena.replay() : 0;
      const verdict = await arena.verdict();
      return {
        verdict,
        notes: { exhausted, retried: before.retried },
        failures: [
          ...common(verdict),
          ...expect('workouts', verdict.workouts, userCount),
          ...expect('replay exit code', code, 0),
          ...(before.retried === 0 ? ['nothing was retried'] : []),
          ...misplaced.slice(0, 5),
        ],
      };
    }),
};
