/** Malformed messages on the main queue: each is dead-lettered at its first attempt, and the good jobs are done. */
import { eventually } from '@fit/stack/testing';
import { connect } from 'amqplib';
import { mismatch } from '../ledger/mismatch.ts';
import { TestEnvironment } from '../testEnvironment.ts';
import { brokenGuarantees, type Scenario } from './scenario.ts';

const PAYLOAD = { userId: 'u', date: '2026-01-05', level: 'rx', equipment: [], exclusions: [] };
const MESSAGE = { version: 1, id: 'x', kind: 'createWod', generation: 1, payload: PAYLOAD };

const MALFORMED_BODIES: Readonly<Record<string, string>> = {
  'not JSON': '{"version":1',
  'wrong types': JSON.stringify({ ...MESSAGE, payload: { ...PAYLOAD, level: 7 } }),
  'unknown version': JSON.stringify({ ...MESSAGE, version: 99 }),
  '200 kB': JSON.stringify({ ...MESSAGE, pad: 'x'.repeat(200_000) }),
  'unknown kind': JSON.stringify({ ...MESSAGE, kind: 'makeCoffee' }),
  empty: '',
};

export const malformed: Scenario = {
  name: 'malformed',
  description:
    'not JSON, wrong types, unknown version, 200 kB …: dead-lettered at the first attempt with a reason',
  execute: async ({ userCount = 1_000, report }) => {
    const env = { DEAD_LETTER_RECORDER: 'off', FIT_TIERS: '1s,2s,4s' };
    return await TestEnvironment.with({ env, coachCount: 1, report }, async (environment) => {
      const { amqpUrl } = environment.stack;
      const malformedCount = Object.keys(MALFORMED_BODIES).length;
      const expectDeadLetters = async (count: number) => {
        const depth = async () => (await environment.readDepths())['createWodQueue.dead'] ?? 0;
        await eventually(async () => (await depth()) === count, {
          deadlineMs: 20_000,
          intervalMs: 200,
          describe: async () => `${await depth()} dead letters instead of ${count}`,
        });
      };
      const runId = await environment.createUsersAndRequestRun(userCount);
      await publishMalformed(amqpUrl);
      await environment.waitForRun(runId);
      await expectDeadLetters(malformedCount);
      const found = await readDeadLetters(amqpUrl);
      for (const { reason } of found) report(`dead letter: ${reason}`);
      // The dead-letter recorder stores what belongs to no job in the database, and empties the queue.
      await environment.restartServices({ DEAD_LETTER_RECORDER: 'on' });
      await expectDeadLetters(0);
      const consistency = await environment.checkConsistency();
      const countWhere = (matches: (deadLetter: FoundDeadLetter) => boolean) =>
        found.filter(matches).length;
      return {
        consistency,
        figures: { malformed: malformedCount },
        failures: [
          ...brokenGuarantees(consistency),
          ...mismatch('workouts', consistency.workouts, userCount),
          ...mismatch('stored dead letters', consistency.storedDeadLetters, malformedCount),
          ...mismatch(
            'dead letters with the cause malformed',
            countWhere(({ cause }) => cause === 'malformed'),
            malformedCount,
          ),
          ...mismatch(
            'without a reason',
            countWhere(({ reason }) => reason === ''),
            0,
          ),
          ...mismatch(
            'after a retry',
            countWhere(({ wasRetried }) => wasRetried),
            0,
          ),
        ],
      };
    });
  },
};

async function publishMalformed(amqpUrl: string): Promise<void> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const body of Object.values(MALFORMED_BODIES))
    channel.publish('jobs', 'job.createWod', Buffer.from(body));
  await channel.waitForConfirms();
  await connection.close();
}

interface FoundDeadLetter {
  readonly cause: unknown;
  readonly reason: string;
  readonly wasRetried: boolean;
}

/** Reads the dead letters without taking them: closing the channel without an ack requeues all of them. */
async function readDeadLetters(amqpUrl: string): Promise<FoundDeadLetter[]> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createChannel();
  const found: FoundDeadLetter[] = [];
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
  await connection.close();
  return found;
}
