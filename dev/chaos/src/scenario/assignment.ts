/** The assignment's profile: a queue of 100 and 60 s for 1,000 members. Most die; each with a true cause. */
import { Arena, pause } from '../arena.ts';
import { common, expect, type Scenario } from './scenario.ts';

/** Longer than the message TTL of 60 s. */
const ABSENCE_MS = 62_000;

export const assignment: Scenario = {
  name: 'assignment',
  about:
    'FIT_PROFILE=assignment, 1,000 members, no coach for a minute, then one: all done or dead, causes true',
  play: async (userCount = 1_000, say) => {
    const env = { FIT_PROFILE: 'assignment' };
    return await Arena.play({ env, coachCount: 1, say }, async (arena) => {
      // With a coach at work: what the queue of 100 cannot hold overflows.
      await arena.follow(await arena.ask(userCount));
      const withCoach = await arena.verdict();
      // Without one: 100 at most wait in the queue, and expire.
      await arena.system.removeCoach(0, 'stop');
      const runId = await arena.ask(userCount, '2026-01-06');
      say('no coach for a minute: what waits in the queue expires');
      await pause(ABSENCE_MS);
      await arena.system.addCoach();
      await arena.follow(runId);
      const verdict = await arena.verdict();
      const causes = Object.keys(verdict.dead).filter(
        (cause) => cause !== 'overflowed' && cause !== 'expired',
      );
      const ended =
        verdict.done + Object.values(verdict.dead).reduce((sum, count) => sum + count, 0);
      return {
        verdict,
        notes: {
          overflowedWithCoach: withCoach.dead['overflowed'] ?? 0,
          expired: verdict.dead['expired'] ?? 0,
        },
        failures: [
          ...common(verdict),
          ...expect('done or dead', ended, 2 * userCount),
          ...expect('other causes', causes, []),
          ...(verdict.dead['expired'] ? [] : ['nothing expired']),
          ...(verdict.dead['overflowed'] ? [] : ['nothing overflowed']),
        ],
      };
    });
  },
};
