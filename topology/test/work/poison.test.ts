/** Goal: a job that ends its worker ends by itself, alone. Method: real processes that abort, begun anew each time. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestTopology } from '../support/testTopology.ts';

const JOB_COUNT = 500;
const POISON = 'm250';

test('where 1 of 500 jobs aborts its worker, that job is dead-lettered as crashed, and 499 are done', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'poison-'));
  t.after(() => rm(folder, { recursive: true }));
  const donePath = join(folder, 'done');
  await writeFile(donePath, '');
  const environment = await TestTopology.open(t);
  await environment.publishAll(await environment.publisher(), JOB_COUNT);

  let said = '';
  const ends: (string | number)[] = [];
  const { amqpUrl, managementUrl } = environment;
  const env = { ...process.env, DONE_PATH: donePath, POISON, JOB_COUNT: String(JOB_COUNT) };
  const script = join(import.meta.dirname, 'poisonWorker.ts');
  const abandoned = new AbortController();
  t.after(() => {
    abandoned.abort();
  });
  // As a supervisor does: a worker that crashed is started again, until one has found the queue empty.
  while (ends.at(-1) !== 0) {
    const worker = fork(script, [amqpUrl, managementUrl], {
      env,
      signal: abandoned.signal,
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    // The output of an abort is long, and needed only where something else ended the worker.
    worker.stderr?.on('data', (text: Buffer) => (said = text.toString()));
    const [code, signal] = (await once(worker, 'exit')) as [number | null, string | null];
    ends.push(signal ?? code ?? '');
    assert.ok(ends.length < 20, `${ends.join(', ')}: ${said}`);
  }

  const deadLetters = await environment.takeDeadLetters(1);
  assert.deepEqual(
    deadLetters.map(({ id, cause }) => [id, cause]),
    [[POISON, 'crashed']],
  );
  const done = (await readFile(donePath, 'utf8')).trim().split('\n');
  const wanted = Array.from({ length: JOB_COUNT }, (_, index) => `m${index}`);
  assert.deepEqual(new Set(done), new Set(wanted.filter((id) => id !== POISON)));
  t.diagnostic(`workers ended: ${ends.join(', ')}; ${done.length - new Set(done).size} run twice`);
  assert.equal(ends.filter((end) => end === 'SIGABRT').length, environment.kind.crashLimit + 1);
  await environment.expectEmpty();
});
