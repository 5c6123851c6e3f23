/** Goal: the Bruno collection works as its files say. Method: Bruno's own command sends it to a real monolith and coach. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { bootstrapSecretFile, runCommand } from '@fit/stack';
import { startSystemUnderTest } from '../../chaos/test/support/systemUnderTest.ts';
import { brunoCommand } from '../src/bruno/brunoCommand.ts';
import { ALONE_TAG } from '../src/generate/brunoCollection.ts';

const COLLECTION = resolve(import.meta.dirname, '../../../bruno');

/** The parts of Bruno's report that are read. */
interface BrunoReport {
  readonly results: readonly {
    readonly name: string;
    readonly status: string;
    readonly error: string | null;
    readonly response: { readonly status: number | null; readonly data: unknown };
    readonly testResults: readonly { readonly status: string; readonly error?: string }[];
  }[];
}

test("Bruno's command sends every request of the collection as an administrator, and every test in it passes", async (t) => {
  const program = await brunoCommand({
    onProgress: (line) => {
      t.diagnostic(line);
    },
  });
  const { system, folder } = await startSystemUnderTest(t);
  const [coach] = system.coaches;
  const account = { email: 'bruno@example.com', password: 'password123' };
  await system.client.request('POST', '/accounts', {
    body: { ...account, role: 'admin', name: 'Bruno' },
  });
  const bootstrapSecret = await readFile(bootstrapSecretFile(folder), 'utf8');
  const report = join(folder, 'report.json');
  const variables = {
    ...account,
    bootstrapSecret: bootstrapSecret.trim(),
    monolith: system.monolith.url,
    coach: coach?.url ?? '',
  };
  const { code, output } = await runCommand(
    [
      process.execPath,
      program,
      'run',
      '-r',
      ...['--env', 'local', '--exclude-tags', ALONE_TAG, '--reporter-json', report],
      ...Object.entries(variables).flatMap(([name, value]) => ['--env-var', `${name}=${value}`]),
    ],
    { cwd: COLLECTION },
  );
  const [{ results }] = JSON.parse(await readFile(report, 'utf8')) as [BrunoReport];
  const failed = results.filter(
    ({ error, testResults }) =>
      error !== null || testResults.some(({ status }) => status !== 'pass'),
  );
  assert.deepEqual(
    failed.map(({ name, error, response }) => ({ name, error, response: response.data })),
    [],
  );
  assert.equal(code, 0, output);
  assert.ok(results.length > 30, `${results.length} requests were sent`);
});
