/** Coaches die every two seconds; broker, database and monolith once each. Nobody notices. */
import { Arena, pause } from '../arena.ts';
import { common, expect, type Scenario } from './scenario.ts';

const KILL_EVERY_MS = 2_000;
const ROUNDS = 12;
const DAYS = 10;

export const kills: Scenario = {
  name: 'kills',
  about: '2,000 jobs; coaches killed every 2 s, broker, database and monolith once each',
  play: async (userCount = 2_000, say) => {
    // Small batches and a share of failures, so that every kill meets work in every stage.
    const env = {
      FIT_TIERS: '1s,2s,4s',
      FIT_STALE_AFTER_MS: '15000',
      COACH_PREFETCH: '5',
      COACH_CONCURRENCY: '1',
      COACH_FAILURE_RATE: '0.05',
    };
    return await Arena.play({ env, coachCount: 2, say }, async (arena) => {
      const perDay = Math.ceil(userCount / DAYS);
      const runs: string[] = [];
      const notes = { coachKills: 0, brokerKills: 0, databaseKills: 0, monolithKills: 0 };
      for (let round = 0; round < ROUNDS; round += 1) {
        if (round < DAYS) runs.push(await ask(arena, perDay, round));
        // A moment for the round's jobs to be under way, then the axe.
        await pause(300);
        await arena.system.removeCoach(0, 'kill');
        notes.coachKills += 1;
        if (round === 3) notes.brokerKills += await killService(arena, 'rabbitmq');
        if (round === 6) notes.databaseKills += await killService(arena, 'postgresql');
        if (round === 9) {
          say('killing the monolith');
          await arena.system.restartMonolith();
          notes.monolithKills += 1;
        }
        await arena.system.addCoach();
        say(`round ${round + 1} of ${ROUNDS}: a coach was killed and another started`);
        await pause(KILL_EVERY_MS - 300);
      }
      for (const runId of runs) await arena.follow(runId);
      // 0.05 to the fourth: about one job in 80,000 is exhausted honestly; the replay brings it back.
      const before = await arena.verdict();
      if (Object.keys(before.dead).length > 0) await arena.replay();
      const verdict = await arena.verdict();
      return {
        verdict,
        notes: { ...notes, crashedInnocents: before.dead['crashed'] ?? 0 },
        failures: [
          ...common(verdict),
          ...expect('workouts', verdict.workouts, perDay * DAYS),
          ...expect('innocents in the dead-letter queue', before.dead['crashed'] ?? 0, 0),
        ],
      };
    });
  },
};

/** A refusal while the database is away is an answer: nothing was started, so it is asked again. */
async function ask(arena: Arena, userCount: number, round: number): Promise<string> {
  const date = `2026-01-${String(round + 1).padStart(2, '0')}`;
  for (;;) {
    try {
      return await arena.ask(userCount, date);
    } catch (error) {
      arena.say(`not accepted, asking again: ${String(error)}`);
      await pause(1_000);
    }
  }
}

async function killService(arena: Arena, name: 'rabbitmq' | 'postgresql'): Promise<1> {
  arena.say(`kill -9 ${name}`);
  await arena.stack.kill(name);
  await pause(500);
  await arena.stack.restart(name);
  return 1;
}
