/**
 * Goal: compose.sh makes secrets once, keeps the operator's values, and reports mistakes. Method: the script in a temporary folder with
 * the machine's sh and a fake `docker` with given answers; `npm run compose-check` tests what needs a real daemon.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  appendFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { REPOSITORY, SERVICES } from '../support/composeFile.ts';

const SECRETS = [
  'FIT_ADMIN_PASSWORD',
  'FIT_BOOTSTRAP_SECRET',
  'FIT_CRON_SECRET',
  'FIT_BROKER_PASSWORD',
  'FIT_DATABASE_PASSWORD',
  'FIT_GRAFANA_PASSWORD',
];

interface Answer {
  readonly code: number;
  readonly output: string;
}

/** Copies the script into a folder, with the usual open umask. */
async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-compose-script-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(join(REPOSITORY, 'compose.sh'), join(folder, 'compose.sh'));
  await mkdir(join(folder, 'bin'));
  await setDocker(folder, { volumes: [] });
  return folder;
}

/** Sets the answers of `docker`. `down`: no daemon, or no right to its socket; `docker compose version` needs neither. */
async function setDocker(
  folder: string,
  state: 'down' | { readonly volumes: readonly string[] },
): Promise<void> {
  const daemon =
    state === 'down'
      ? "echo 'Cannot connect to the Docker daemon' >&2; exit 1"
      : [
          `volumes='${state.volumes.join('\n')}'`,
          'case "$1 $2" in',
          '  "volume ls") [ -z "$volumes" ] || echo "$volumes" ;;',
          '  "volume inspect") echo "$volumes" | grep -qx "$3" ;;',
          '  "compose up") echo started ;;',
          '  "compose exec") printf token-for-; cat ;;',
          '  "image inspect") exit 1 ;;',
          'esac',
        ].join('\n');
  const text = `#!/bin/sh\nif [ "$1 $2" = "compose version" ]; then echo 2.30.0; exit; fi\n${daemon}\n`;
  await writeFile(join(folder, 'bin/docker'), text, { mode: 0o755 });
}

function sh(
  folder: string,
  text: string,
  environment: Record<string, string> = {},
): Promise<Answer> {
  // Without the variables of FIT, since those of the shell take precedence over .env.
  const { PATH = '' } = process.env;
  return new Promise((resolve) => {
    const child = execFile(
      'sh',
      ['-c', `umask 022; ${text}`],
      { cwd: folder, env: { PATH: `${join(folder, 'bin')}:${PATH}`, ...environment } },
      (_, stdout, stderr) => {
        resolve({ code: child.exitCode ?? 1, output: stdout + stderr });
      },
    );
  });
}

const readEnv = (folder: string): Promise<string> => readFile(join(folder, '.env'), 'utf8');

test('secrets are made once, all different, and only their owner can read them', async (t) => {
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

test('values in .env stay, also without a newline at its end, and missing ones are added', async (t) => {
  const folder = await makeFolder(t);
  const own = 'CRON_SCHEDULE=0 4 * * *\nFIT_CRON_SECRET=0123456789abcdef0123456789abcdef';
  await writeFile(join(folder, '.env'), own, { mode: 0o644 });
  await sh(folder, './compose.sh env');
  const text = await readEnv(folder);
  assert.ok(text.startsWith(`${own}\n`), text);
  for (const name of SECRETS) assert.equal(text.match(new RegExp(`^${name}=`, 'gm'))?.length, 1);
  assert.equal((await stat(join(folder, '.env'))).mode & 0o777, 0o600);
});

test('a shell gets values with spaces, stars, quotes and comments as Compose reads them', async (t) => {
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
    // A version exported by the shell would take precedence over that of the next release.
    `./my folder|assignment|it's|amqp://fit:${password}@127.0.0.1:4711|unset|`,
  );
});

test('a value of the shell takes precedence over .env, as for Compose', async (t) => {
  const folder = await makeFolder(t);
  const { output } = await sh(folder, './compose.sh shell', { FIT_CRON_SECRET: 'of the shell' });
  assert.match(output, /export FIT_CRON_SECRET='of the shell'/);
  assert.doesNotMatch(await readEnv(folder), /FIT_CRON_SECRET/);
});

test('no password is made and nothing is written if its volume exists, or no daemon answers', async (t) => {
  const folder = await makeFolder(t);
  for (const word of ['env', 'shell', 'up']) {
    await setDocker(folder, 'down');
    const unknown = await sh(folder, `./compose.sh ${word}`);
    assert.notEqual(unknown.code, 0, word);
    assert.match(
      unknown.output,
      /FIT_BROKER_PASSWORD .*no Docker daemon answers.*fit_rabbitmq-data/,
    );
    assert.match(unknown.output, /Cannot connect to the Docker daemon/);

    await setDocker(folder, { volumes: ['other', 'fit_mongo-data'] });
    const known = await sh(folder, `./compose.sh ${word}`);
    assert.notEqual(known.code, 0, word);
    assert.match(known.output, /FIT_DATABASE_PASSWORD .*fit_mongo-data was made with one/);
    assert.deepEqual((await readdir(folder)).sort(), ['bin', 'compose.sh'], word);
  }

  await setDocker(folder, { volumes: ['another_mongo-data', 'fit_mongo-data-old'] });
  assert.equal((await sh(folder, './compose.sh env')).code, 0);
  await setDocker(folder, 'down');
  assert.equal((await sh(folder, './compose.sh shell')).code, 0, 'where nothing is to be made');
});

const EVERY_SECRET = Object.fromEntries(SECRETS.map((name) => [name, 'a'.repeat(48)]));

test('no .env is needed if the environment has every secret', async (t) => {
  const folder = await makeFolder(t);
  const { code, output } = await sh(folder, './compose.sh env', EVERY_SECRET);
  assert.equal(code, 0, output);
});

test('only its owner can read .env, although a killed run left a readable .env.new', async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, '.env.new'), '', { mode: 0o644 });
  // All secrets but one are in the environment, and the script does not reach its last step.
  const { FIT_ADMIN_PASSWORD: _, ...others } = EVERY_SECRET;
  const kill = "sed -i 's/^  mv .env.new .env$/&; kill $$/' compose.sh && ./compose.sh env";
  await sh(folder, kill, others);
  assert.match(await readEnv(folder), /^FIT_ADMIN_PASSWORD=/);
  assert.equal((await stat(join(folder, '.env'))).mode & 0o777, 0o600);
});

const FOLDERS =
  'mkdir -p prometheus/broker prometheus/generated/default prometheus/generated/assignment' +
  ' prometheus/grafana/dashboards prometheus/grafana/provisioning';

test('`up` uses a password that was changed in .env, in the same shell', async (t) => {
  const folder = await makeFolder(t);
  const ask = [
    FOLDERS,
    './compose.sh env',
    'eval "$(./compose.sh shell)"',
    "sed -i 's/_PASSWORD=.*/_PASSWORD=changed/' .env",
    // Compose takes the value of the shell, otherwise that of .env.
    'echo "${FIT_BROKER_PASSWORD-of .env} ${FIT_DATABASE_PASSWORD-of .env}"',
    './compose.sh up',
    'eval "$(./compose.sh shell)"',
    'echo "$AMQP_URL"',
  ].join(' && ');
  const { output } = await sh(folder, ask);
  assert.match(output, /^of \.env of \.env$/m);
  assert.match(output, /^started$/m);
  assert.match(output, /^amqp:\/\/fit:changed@/m);
});

for (const command of ['up', 'release 1.2'])
  test(`${command} refuses and names a value of the shell that differs from .env`, async (t) => {
    const folder = await makeFolder(t);
    const prepare = `${FOLDERS} && ./compose.sh env && echo FIT_PROFILE=assignment >> .env`;
    assert.equal((await sh(folder, prepare)).code, 0);
    const environment = { FIT_COMMIT: 'abc' };
    for (const name of [...SECRETS, 'FIT_PROFILE']) {
      for (const value of ['of the shell', '']) {
        const given = { ...environment, [name]: value };
        const { code, output } = await sh(folder, `./compose.sh ${command}`, given);
        assert.notEqual(code, 0, `${name}='${value}'`);
        assert.match(output, new RegExp(`: ${name} has another value .*unset ${name}`));
        assert.doesNotMatch(output, /of the shell|^started$/m);
      }
    }
    const same = { ...environment, FIT_PROFILE: 'assignment', FIT_MONITORING: '' };
    const { code, output } = await sh(folder, `./compose.sh ${command}`, same);
    assert.equal(code, 0, output);
  });

test('a shell that was prepared before .env changed gets the new values by the same command', async (t) => {
  const folder = await makeFolder(t);
  const ask = [
    './compose.sh env',
    'eval "$(./compose.sh shell)"',
    "sed -i 's/^FIT_ADMIN_PASSWORD=.*/FIT_ADMIN_PASSWORD=changed/' .env",
    'eval "$(./compose.sh shell)"',
    'echo "$AUTH"',
  ].join(' && ');
  assert.match((await sh(folder, ask)).output, /^authorization: Bearer token-for-changed$/m);
});

test('a release needs a version that is a valid image tag', async (t) => {
  const folder = await makeFolder(t);
  for (const version of ['dev', '1 2', '-1', '../x', 'a:b', '']) {
    const { code, output } = await sh(folder, `./compose.sh release '${version}'`);
    assert.notEqual(code, 0, version);
    assert.match(output, /is no version/, version);
  }
  assert.equal((await sh(folder, './compose.sh release')).code, 2);
});

/** Rows of the table in docs/configuration.md; `FIT_PORT_AMQP …` means the variables of all ports. */
async function documentedVariables(): Promise<string[]> {
  const document = await readFile(join(REPOSITORY, 'docs/configuration.md'), 'utf8');
  const cells = [...document.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name));
}

test('each documented variable is passed on or listed as an exception, and each variable of compose is documented', async () => {
  const source = await readFile(join(REPOSITORY, 'docker-compose.yml'), 'utf8');
  const guide = await readFile(join(REPOSITORY, 'docs/compose.md'), 'utf8');
  const [, exceptions = ''] = /^Not passed on: ([\s\S]*?)\n\n/m.exec(guide) ?? [];
  const variables = await documentedVariables();
  assert.ok(variables.length > 30, String(variables));
  for (const name of variables) {
    const isException = [...exceptions.matchAll(/`([A-Z_]+)(\*?)`/g)].some(
      ([, word = '', star]) => name === word || (star === '*' && name.startsWith(word)),
    );
    assert.notEqual(source.includes(`\${${name}:`), isException, name);
  }
  const generated = /^(FIT_(BROKER|DATABASE|GRAFANA)_PASSWORD|FIT_FILES_|FIT_PORT_|OTEL_)/;
  for (const [, name = ''] of source.matchAll(/\$\{([A-Z_]+):/g))
    assert.ok(variables.includes(name) || generated.test(name), name);
});

test('the example has every secret without a value, and only settings of compose', async () => {
  const example = await readFile(join(REPOSITORY, '.env.example'), 'utf8');
  for (const name of SECRETS) assert.match(example, new RegExp(`^#? ?${name}=$`, 'm'));
  const source = await readFile(join(REPOSITORY, 'docker-compose.yml'), 'utf8');
  const names = [...example.matchAll(/^#? ?([A-Z_]+)=/gm)].map(([, name = '']) => name);
  assert.ok(names.length > 10);
  // The script alone reads the password of the administrator.
  for (const name of names)
    assert.ok(name === 'FIT_ADMIN_PASSWORD' || source.includes(`\${${name}:`), name);
  assert.ok(SERVICES.size > 0);
});
