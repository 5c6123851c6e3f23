/** Messages put on the queue by hand: each in the dead-letter queue at its first attempt, good jobs unaffected. */
import { connect } from 'amqplib';
import { Arena, until } from '../arena.ts';
import { common, expect, type Scenario } from './scenario.ts';

const payload = { userId: 'u', date: '2026-01-05', level: 'rx', equipment: [], exclusions: [] };
const good = { version: 1, id: 'x', kind: 'createWod', generation: 1, payload };

const BAD: readonly (readonly [name: string, body: string])[] = [
  ['not JSON', '{"version":1'],
  ['wrong types', JSON.stringify({ ...good, payload: { ...payload, level: 7 } })],
  ['unknown version', JSON.stringify({ ...good, version: 99 })],
  ['200 kB', JSON.stringify({ ...good, pad: 'x'.repeat(200_000) })],
  ['unknown kind', JSON.stringify({ ...good, kind: 'makeCoffee' })],
  ['empty', ''],
];

export const malformed: Scenario = {
  name: 'malformed',
  about: 'not JSON, wrong types, unknown version, 200 kB: dead at the first attempt with a reason',
  play: async (userCount = 1_000, say) => {
    const env = { DEAD_LETTER_RECORDER: 'off', FIT_TIERS: '1s,2s,4s' };
    return await Arena.play({ env, coachCount: 1, say }, async (arena) => {
      const runId = await arena.ask(userCount);
      await putByHand(arena.stack.amqpUrl);
      await arena.follow(runId);
      const depth = async () => (await arena.depths)['createWodQueue.dead'] ?? 0;
      await until(async () => (await depth()) === BAD.length, {
        deadlineMs: 20_000,
        describe: async () => `${await depth()} letters`,
      });
      const found = await readReasons(arena.stack.amqpUrl);
      for (const { reason } of found) say(`letter: ${reason}`);
      // With the intake on, what is no job is kept whole in the database, and the queue is empty.
      await arena.restart({ DEAD_LETTER_RECORDER: 'on' });
      await until(async () => (await depth()) === 0, {
        deadlineMs: 20_000,
        describe: async () => `${await depth()} letters`,
      });
      const verdict = await arena.verdict();
      return {
        verdict,
        notes: { bad: BAD.length },
        failures: [
          ...common(verdict),
          ...expect('workouts', verdict.workouts, userCount),
          ...expect('letters kept', verdict.letters, BAD.length),
          ...expect(
            'malformed',
            found.filter(({ cause }) => cause === 'malformed').length,
            BAD.length,
          ),
          ...expect('without a reason', found.filter(({ reason }) => reason === '').length, 0),
          ...expect('after a retry', found.filter(({ wasRetried }) => wasRetried).length, 0),
        ],
      };
    });
  },
};

async function putByHand(amqpUrl: string): Promise<void> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const [, body] of BAD) channel.publish('jobs', 'job.createWod', Buffer.from(body));
  await channel.waitForConfirms();
  await connection.close();
}

async function readReasons(amqpUrl: string) {
  const connection = await connect(amqpUrl);
  const channel = await connection.createChannel();
  const found: { cause: unknown; reason: string; wasRetried: boolean }[] = [];
  for (;;) {
    const message = await channel.get('createWodQueue.dead');
    if (message === false) break;
    const headers: Record<string, unknown> = message.properties.headers ?? {};
    const reason = headers['death-message'];
    found.push({
      cause: headers['death-cause'],
      reason: typeof reason === 'string' ? reason : '',
      wasRetried: message.fields.routingKey !== 'job.createWod',
    });
  }
  // Closing without an ack puts every letter back.
  await connection.close();
  return found;
}
