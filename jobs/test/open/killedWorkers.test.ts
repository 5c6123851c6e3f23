/**
 * Goal: each job has one result, which never changes, although workers are killed at any moment. Method: real processes that
 * are killed in the middle of their work, real broker and database.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openJobs } from '@fit/jobs';
import { eventually, testBroker, testDatabaseUrl } from '@fit/stack/testing';
import { MongoClient } from 'mongodb';
import { KILL_KINDS } from './killKinds.ts';

const WORKER = join(import.meta.dirname, 'killableWorker.ts');
const JOB_COUNT = 600;
const KILL_COUNT = 3;

test('each job is done once, whatever its workers were doing when they were killed', async (t) => {
  const closers: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  const { amqpUrl } = await testBroker({ after: (close) => closers.push(close) });
  const database = testDatabaseUrl();
  const client = new MongoClient(database);
  closers.push(async () => {
    await client.db().dropDatabase();
    await client.close();
  });
  const jobs = await openJobs({ database, connection: amqpUrl, kinds: KILL_KINDS });
  closers.push(() => jobs.close());
  const env = { ...process.env, AMQP_URL: amqpUrl, DATABASE_URL: database };
  const workers = new Set<ChildProcess>();
  closers.push(async () => {
    await Promise.all([...workers].map(kill));
  });
  const attemptCounts = new Map<string, number>();
  const attemptCount = () => attemptCounts.values().reduce((sum, count) => sum + count, 0);
  const start = (rest?: number) => {
    const worker = spawn(process.execPath, [WORKER], {
      env: rest === undefined ? env : { ...env, HELD_REST: `${rest}` },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const held: string[] = [];
    createInterface(worker.stdout).on('line', (line) => {
      const [what, key = ''] = line.split(' ');
      attemptCounts.set(key, (attemptCounts.get(key) ?? 0) + 1);
      if (what === 'held') held.push(key);
    });
    workers.add(worker);
    return { worker, held };
  };
  const results = client.db().collection<{ _id: string; result: string }>('fit_results');
  const read = async () =>
    new Map((await results.find().toArray()).map(({ _id, result }) => [_id, result]));

  await Promise.all(
    Array.from({ length: JOB_COUNT }, (_, index) =>
      jobs.enqueue('make', `${index}`, { key: `${index}` }),
    ),
  );
  const seen = new Map<string, string>();
  const interrupted: string[] = [];
  for (let rest = 0; rest < KILL_COUNT; rest += 1) {
    const { worker, held } = start(rest);
    // Half of its handlers are held, and the others work.
    await eventually(() => held.length >= 5, {
      deadlineMs: 60_000,
      describe: () => `${held.length} held, ${attemptCount()} attempts`,
    });
    await kill(worker);
    workers.delete(worker);
    interrupted.push(...held);
    for (const [id, result] of await read()) {
      assert.equal(seen.get(id) ?? result, result, `the result of ${id} changed`);
      seen.set(id, result);
    }
  }
  start();
  const countDone = async () => {
    let count = 0;
    for await (const { result } of jobs.list({ state: 'done' })) count += Number(Boolean(result));
    return count;
  };
  await eventually(async () => (await countDone()) === JOB_COUNT, {
    deadlineMs: 60_000,
    describe: async () => `${await countDone()} done, ${attemptCount()} attempts`,
  });
  const final = await read();
  assert.equal(final.size, JOB_COUNT);
  for (const [id, result] of seen) assert.equal(final.get(id), result);
  for (const key of interrupted)
    assert.ok((attemptCounts.get(key) ?? 0) >= 2, `${key} was not attempted again`);
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
