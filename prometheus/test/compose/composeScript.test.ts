/**
 * Goal: compose.sh makes secrets once, keeps what an operator wrote, and says what is wrong. Method: the script itself in a folder of
 * its own, with the machine's sh; what needs a Docker daemon is asserted by `npm run compose-check`.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { REPOSITORY, SERVICES } from '../support/composeFile.ts';

const SECRETS = [
  'FIT_ADMIN_TOKEN',
  'FIT_BROKER_PASSWORD',
  'FIT_DATABASE_PASSWORD',
  'FIT_GRAFANA_PASSWORD',
];

interface Answer {
  readonly code: number;
  readonly output: string;
}

/** The script in a folder with an open umask, as most people have it. */
async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-compose-script-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(join(REPOSITORY, 'compose.sh'), join(folder, 'compose.sh'));
  return folder;
}

function sh(
  folder: string,
  text: string,
  environment: Record<string, string> = {},
): Promise<Answer> {
  // Nothing of FIT's own, since the shell goes before .env.
  const { PATH = '' } = process.env;
  return new Promise((resolve) => {
    const child = execFile(
      'sh',
      ['-c', `umask 022; ${text}`],
      { cwd: folder, env: { PATH, ...environment } },
      (_, stdout, stderr) => {
        resolve({ code: child.exitCode ?? 1, output: stdout + stderr });
      },
    );
  });
}

const readEnv = (folder: string): Promise<string> => readFile(join(folder, '.env'), 'utf8');

test('secrets are made once, each its own, for their owner alone', async (t) => {
  const folder = await makeFolder(t);
  assert.equal((await sh(folder, './compose.sh env')).code, 0);
  const text = await readEnv(folder);
  const values = SECRETS.map((name) => new RegExp(`^${name}=([0-9a-f]{48})$`, 'm').exec(text)?.[1]);
  assert.ok(!values.includes(undefined), text);
  assert.equal(new Set(values).size, SECRETS.length);
  assert.equal((await stat(join(folder, '.env'))).mode & 0o777, 0o600);

  assert.equal((await sh(folder, './compose.sh env')).code, 0);
  assert.equal(await readEnv(folder), text);
});

test('what stands in .env stays, also without a newline at its end; only what is missing is added', async (t) => {
  const folder = await makeFolder(t);
  const own = 'CRON_SCHEDULE=0 4 * * *\nFIT_ADMIN_TOKEN=0123456789abcdef0123456789abcdef';
  await writeFile(join(folder, '.env'), own, { mode: 0o644 });
  await sh(folder, './compose.sh env');
  const text = await readEnv(folder);
  assert.ok(text.startsWith(`${own}\n`), text);
  for (const name of SECRETS) assert.equal(text.match(new RegExp(`^${name}=`, 'gm'))?.length, 1);
  assert.equal((await stat(join(folder, '.env'))).mode & 0o777, 0o600);
});

test('values with spaces, stars, quotes and comments come into a shell as Compose reads them', async (t) => {
  const folder = await makeFolder(t);
  await sh(folder, './compose.sh env');
  await appendFile(
    join(folder, '.env'),
    [
      'CRON_SCHEDULE=0 5 * * *',
      "FIT_MONITORING='./my folder' # beside the repository",
      'FIT_PROFILE = "assignment"',
      "CRON_TIMEZONE=it's  # no zone",
      'FIT_PORT_AMQP=4711',
      'FIT_VERSION=1.2',
      '',
    ].join('\n'),
  );
  const ask =
    'eval "$(./compose.sh shell)"; printf "%s|" "$FIT_MONITORING" "$FIT_PROFILE" "$CRON_TIMEZONE" "$AMQP_URL" "${FIT_VERSION:-unset}"';
  const { output } = await sh(folder, ask);
  const password = /^FIT_BROKER_PASSWORD=(.*)$/m.exec(await readEnv(folder))?.[1];
  assert.equal(
    output,
    // A version that a shell exports would go before that of the next release.
    `./my folder|assignment|it's|amqp://fit:${password}@127.0.0.1:4711|unset|`,
  );
});

test('a value of the shell goes before .env, as it does for Compose', async (t) => {
  const folder = await makeFolder(t);
  const { output } = await sh(folder, './compose.sh shell', { FIT_ADMIN_TOKEN: 'of the shell' });
  assert.match(output, /export FIT_ADMIN_TOKEN='of the shell'/);
  assert.doesNotMatch(await readEnv(folder), /FIT_ADMIN_TOKEN/);
});

test('a release needs a version that an image may have', async (t) => {
  const folder = await makeFolder(t);
  for (const version of ['dev', '1 2', '-1', '../x', 'a:b', '']) {
    const { code, output } = await sh(folder, `./compose.sh release '${version}'`);
    assert.notEqual(code, 0, version);
    assert.match(output, /is no version/, version);
  }
  assert.equal((await sh(folder, './compose.sh release')).code, 2);
});

test('the example names every secret without a value, and no setting that compose does not have', async () => {
  const example = await readFile(join(REPOSITORY, '.env.example'), 'utf8');
  for (const name of SECRETS) assert.match(example, new RegExp(`^#? ?${name}=$`, 'm'));
  const source = await readFile(join(REPOSITORY, 'docker-compose.yml'), 'utf8');
  const names = [...example.matchAll(/^#? ?([A-Z_]+)=/gm)].map(([, name = '']) => name);
  assert.ok(names.length > 10);
  for (const name of names) assert.ok(source.includes(`\${${name}:`), name);
  assert.ok(SERVICES.size > 0);
});
