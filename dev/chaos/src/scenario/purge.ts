/** Someone purges the main queue and every wait queue in the middle of a run: it only takes longer. */
import { connect } from 'amqplib';
import { Arena, until } from '../arena.ts';
import { common, expect, type Scenario } from './scenario.ts';

export const purge: Scenario = {
  name: 'purge',
  about: 'main and wait queues purged mid-run: every workout all the same, later',
  play: async (userCount = 1_000, say) => {
    const env = {
      COACH_FAILURE_RATE: '0.5',
      FIT_TIERS: '2s,4s,6s',
      FIT_STALE_AFTER_MS: '12000',
      COACH_PREFETCH: '20',
    };
    return await Arena.play({ env, coachCount: 1, say }, async (arena) => {
      const runId = await arena.ask(userCount);
      await until(async () => waiting(await arena.depths) > userCount / 10, {
        deadlineMs: 30_000,
        describe: async () => JSON.stringify(await arena.depths),
      });
      const purged = await purgeAll(arena);
      say(`purged ${purged} messages`);
      await arena.follow(runId);
      const exhausted = (await arena.verdict()).dead['exhausted'] ?? 0;
      await arena.restart({ COACH_FAILURE_RATE: '0' });
      await arena.replay();
      const verdict = await arena.verdict();
      return {
        verdict,
        notes: { purged, exhausted },
        failures: [
          ...common(verdict),
          ...expect('workouts', verdict.workouts, userCount),
          ...(purged === 0 ? ['nothing was purged'] : []),
        ],
      };
    });
  },
};

function waiting(depths: Readonly<Record<string, number>>): number {
  return Object.entries(depths)
    .filter(([queue]) => queue.includes('.wait.'))
    .reduce((sum, [, depth]) => sum + depth, 0);
}

async function purgeAll({ stack, queues }: Arena): Promise<number> {
  const connection = await connect(stack.amqpUrl);
  const channel = await connection.createChannel();
  let purged = 0;
  for (const queue of queues.filter((name) => !name.endsWith('.dead')))
    purged += (await channel.purgeQueue(queue)).messageCount;
  await connection.close();
  return purged;
}
