/** What a member waits for who asks for a workout now, while the nightly run is under way. */
import { setTimeout as delay } from 'node:timers/promises';
import { sampleUsers } from '@fit/stack';
import { type Db, MongoClient } from 'mongodb';
import { type SystemUnderTest, withServers, withSystemUnderTest } from '../benchEnvironment.ts';
import { clientOf, createUsers, dayNumber } from '../fitRun.ts';
import { quantile, round } from '../statistics.ts';
import { measuredBelow, type Workload } from '../workload.ts';

const POLL_MS = 5;
const JOB_TIMEOUT_MS = 120_000;
/** The run is at full speed once this share of it has ended. */
const BEGUN_SHARE = 0.05;
const LIMIT_MS = 2_000;

export const urgent: Workload<'users' | 'jobs'> = {
  name: 'urgent',
  description:
    'jobs of high priority beside a run for everyone, from the request to the stored workout',
  options: {
    users: { description: 'members of the run', default: 100_000, minimum: 1_000 },
    jobs: { description: 'urgent jobs, one after the other while the run goes on', default: 20 },
  },
  measure: async ({ users, jobs }, report) =>
    await withServers(['rabbitmq', 'gateway'], async (stack) =>
      withSystemUnderTest(stack, {}, async (tested) => {
        const { href } = new URL(`/${tested.database.databaseName}`, stack.mongodbUrl);
        await using client = new MongoClient(href, { maxPoolSize: 1 });
        const members = sampleUsers(users);
        report(`creating ${users} users …`);
        await createUsers(clientOf(tested), members);
        const { runId } = await clientOf(tested).generateWods({ date: dayNumber(1) });
        await untilBegun(tested, runId, users * BEGUN_SHARE);
        const waitsMs: number[] = [];
        for (const { id } of members.slice(0, jobs)) {
          const { state } = await clientOf(tested).run(runId);
          if (state === 'finished') break;
          waitsMs.push(await measureJob(tested, client.db(), id, dayNumber(2)));
          report(`urgent job ${waitsMs.length}: ${round(waitsMs.at(-1) ?? 0)} ms`);
        }
        const run = await clientOf(tested).run(runId);
        if (waitsMs.length === 0) throw new Error('the run ended before an urgent job was sent');
        const figure = (name: string, share: number) => ({
          name: `request to stored workout, ${name}`,
          unit: 'ms',
          measured: [round(quantile(waitsMs, share))],
        });
        return {
          baselineName: 'none',
          comparisons: [
            figure('median', 0.5),
            { ...figure('slowest', 1), bound: measuredBelow(LIMIT_MS, 'ms') },
          ],
          rounds: [{ waitsMs: waitsMs.map(round), runPercent: run.percent }],
          notes: [
            `${waitsMs.length} urgent jobs were sent one after the other; ${run.percent} % of the run for ${users} members had ended after the last one.`,
          ],
        };
      }),
    ),
};

async function untilBegun(tested: SystemUnderTest, runId: string, count: number): Promise<void> {
  for (;;) {
    const { states } = await clientOf(tested).run(runId);
    if ((states['done'] ?? 0) >= count) return;
    await delay(100);
  }
}

async function measureJob(
  tested: SystemUnderTest,
  database: Db,
  userId: string,
  date: string,
): Promise<number> {
  const wods = database.collection<{ _id: string }>('wods');
  const sentAtMs = performance.now();
  await clientOf(tested).request('POST', '/jobs', {
    body: { type: 'createWod', payload: { userId, date }, priority: 'high' },
  });
  const find = () => wods.findOne({ _id: `${userId}:${date}` }, { projection: { _id: 1 } });
  while ((await find()) === null) {
    if (performance.now() - sentAtMs > JOB_TIMEOUT_MS)
      throw new Error(`no workout of ${userId} was stored`);
    await delay(POLL_MS);
  }
  return performance.now() - sentAtMs;
}
