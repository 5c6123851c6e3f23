/**
 * Goal: the programs of docs/submit-jobs.md work as they stand there, and an urgent job passes a run. Method: the page's own text is run
 * against real services. The coach makes one workout at a time, slowly, so that order can be told from speed.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { eventually } from '@fit/stack/testing';
import { DATE, startSystemUnderTest } from './support/systemUnderTest.ts';

const run = promisify(execFile);
const PAGE = join(import.meta.dirname, '../../../docs/submit-jobs.md');
const USER_COUNT = 400;

interface Program {
  readonly language: string;
  readonly command: string;
  readonly args: (text: string) => readonly string[];
}

const PROGRAMS: readonly Program[] = [
  { language: 'sh', command: 'bash', args: (text) => ['-euc', text] },
  { language: 'python', command: 'python3', args: (text) => ['-c', text] },
  {
    language: 'js',
    command: process.execPath,
    args: (text) => ['--input-type=module', '--eval', text],
  },
];

async function canRun({ language, command }: Program): Promise<boolean> {
  if (language !== 'python') return true;
  return await run(command, ['-c', 'import requests']).then(
    () => true,
    () => false,
  );
}

test('the programs of docs/submit-jobs.md work, and an urgent job passes a run', async (t) => {
  const started = await startSystemUnderTest(t, {
    COACH_WORK_MS: '100',
    COACH_CONCURRENCY: '1',
    COACH_PREFETCH: '1',
  });
  const { client, system } = started;
  const page = await readFile(PAGE, 'utf8');
  for (const program of PROGRAMS) {
    const [, text] = new RegExp(`^\`\`\`${program.language}\\n(.*?)^\`\`\``, 'ms').exec(page) ?? [];
    assert.ok(text !== undefined, program.language);
    if (!(await canRun(program))) {
      t.diagnostic(
        'python3 has no requests (Debian: python3-requests), so that program was not run',
      );
      continue;
    }
    const { stdout } = await run(program.command, program.args(text), {
      env: { ...process.env, FIT: system.monolith.url },
      timeout: 60_000,
    });
    for (const part of ['COMPLETED', 'olleh', 'uppercase_text', 'must be <= 90, not 91'])
      assert.ok(stdout.includes(part), `${program.language} printed no ${part}:\n${stdout}`);
    assert.match(stdout, /"?accepted"?'?: ?1/, stdout);
  }

  const ids = Array.from({ length: USER_COUNT }, (_, index) => `user-${index}`);
  await client.createUsers(ids.map((id) => ({ id })));
  await client.request('POST', '/users', { body: { id: 'urgent' } });
  const { runId } = await client.generateWods({ date: DATE, userIds: ids });
  const states = async () => (await client.run(runId)).states;
  const hasBegun = async () => ((await states())['done'] ?? 0) > 0;
  await eventually(hasBegun, { deadlineMs: 60_000, describe: () => 'the run makes no workout' });
  const job = { type: 'createWod', payload: { userId: 'urgent', date: DATE }, priority: 'high' };
  await client.request('POST', '/jobs', { body: job });
  const isDone = async () => {
    const reply = await client.request('GET', `/jobs/createWod:urgent:${DATE}`);
    return (reply as { status: string }).status === 'COMPLETED';
  };
  await eventually(isDone, { deadlineMs: 60_000, describe: () => 'the urgent job is not done' });
  const { done = 0 } = await states();
  t.diagnostic(`${done} of ${USER_COUNT} workouts of the run were made before the urgent one`);
  assert.ok(done < USER_COUNT, 'the run was over before the urgent job');
});
