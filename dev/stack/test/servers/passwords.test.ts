/**
 * Goal: without a password neither another user of the machine nor a page in a browser reaches the servers, except the
 * gateway. Method: a real stack; its folders, a real attempt as another user, and requests as a foreign page sends them.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { lstat, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseEnv } from 'node:util';
import { brokerFile, freePorts, type Stack, startStack } from '../../src/index.ts';
import { runCommand } from '../../src/process/runCommand.ts';

/** Neither root nor the user of the servers. */
const OTHER_USER_ID = 65_533;
const FOREIGN_PAGE = { origin: 'https://page.example' };

describe('a stack with passwords', () => {
  const name = `test-${randomUUID().slice(0, 8)}`;
  const folder = join(tmpdir(), `fit-stack-${name}`);
  let stack: Stack;

  before(async () => {
    stack = await startStack({ name, folder, ports: await freePorts(), hasPasswords: true });
  });
  after(async () => {
    await stack.stop({ purge: true });
    await rm(folder, { recursive: true, force: true });
  });

  test('closes the folder of each server, and the socket of the database, to others', async () => {
    const socket = 'postgresql/run/.s.PGSQL.5432';
    for (const path of [
      'rabbitmq',
      'postgresql',
      'postgresql/run',
      socket,
      'gateway',
      'prometheus',
      'alertmanager',
      'alertmanager/config',
    ]) {
      const { mode } = await lstat(join(folder, path));
      assert.equal(mode & 0o077, 0, `${path} has mode ${(mode & 0o777).toString(8)}`);
    }
  });

  test('lets no other user connect to its database', async (t) => {
    if (process.getuid?.() !== 0) {
      t.skip('only root can become another user; the permissions are checked above');
      return;
    }
    const become = [`--reuid=${OTHER_USER_ID}`, `--regid=${OTHER_USER_ID}`, '--clear-groups'];
    const socket = join(folder, 'postgresql/run/.s.PGSQL.5432');
    const connect = `require('node:net').connect(process.argv[1])
      .on('connect', () => { console.log('connected'); process.exit(); })
      .on('error', ({ code }) => { console.log(code); process.exit(); });`;
    const node = ['node', '--eval', connect, socket];
    const own = await runCommand(node, {});
    assert.equal(own.stdout.trim(), 'connected');
    const other = await runCommand(['setpriv', ...become, ...node], {});
    assert.equal(other.stdout.trim(), 'EACCES');
  });

  test('has a broker without guest, whose password only the owner can read', async () => {
    assert.deepEqual(await brokerUsers(stack), [['fit', '[administrator]']]);
    assert.equal(await loginAs('guest:guest', stack), 401);
    const { username, password } = new URL(stack.amqpUrl);
    assert.equal(await loginAs(`${username}:${password}`, stack), 200);
    const file = brokerFile(folder);
    const { mode } = await lstat(file);
    assert.equal(mode & 0o777, 0o600);
    const variables = parseEnv(await readFile(file, 'utf8'));
    assert.equal(variables['AMQP_URL'], stack.amqpUrl);
    assert.equal(variables['AMQP_MANAGEMENT_URL'], stack.managementUrl);
    assert.equal(variables['BROKER'], `${username}:${password}`);
    const state = await readFile(join(folder, 'stack.json'), 'utf8');
    assert.match(state, /amqp:\/\/127/);
    assert.ok(!state.includes(password), 'the state of the stack holds the password');
  });

  test('lets no page stop or reload Prometheus, or read it', async () => {
    for (const path of ['/-/quit', '/-/reload']) {
      const { status } = await ask(path, { method: 'POST', headers: FOREIGN_PAGE });
      assert.equal(status, 403, path);
    }
    const reply = await ask('/api/v1/query?query=up', { headers: FOREIGN_PAGE });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers.get('access-control-allow-origin'), null);
  });

  test('lets nobody without the password silence an alert, or reload Alertmanager', async () => {
    const { origin, username, password } = new URL(stack.alertmanagerUrl ?? '');
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const silence = {
      matchers: [{ name: 'alertname', value: 'Any', isRegex: false }],
      startsAt: new Date().toISOString(),
      endsAt: new Date(Date.now() + 60_000).toISOString(),
      createdBy: 'page',
      comment: 'none',
    };
    const post = async (path: string, headers: Record<string, string>): Promise<number> => {
      const { status } = await ask(`${origin}${path}`, {
        method: 'POST',
        headers: { ...FOREIGN_PAGE, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(silence),
      });
      return status;
    };
    for (const path of ['/api/v2/silences', '/-/reload']) {
      assert.equal(await post(path, {}), 401, path);
      assert.equal(await post(path, { authorization }), 200, path);
    }
    const { status } = await ask(`${origin}/api/v2/silences`, { headers: FOREIGN_PAGE });
    assert.equal(status, 401);
    for (const path of ['alertmanager.env', 'alertmanager/web.yml']) {
      const { mode } = await lstat(join(folder, path));
      assert.equal(mode & 0o777, 0o600, path);
    }
    const web = await readFile(join(folder, 'alertmanager/web.yml'), 'utf8');
    assert.ok(!web.includes(password), 'the web configuration holds the password itself');
  });

  async function ask(path: string, options: RequestInit): Promise<Response> {
    const reply = await fetch(new URL(path, stack.prometheusUrl), {
      signal: AbortSignal.timeout(10_000),
      ...options,
    });
    await reply.body?.cancel();
    return reply;
  }
});

test('the password of the broker stays the same until its file is deleted', async (t) => {
  const name = `test-${randomUUID().slice(0, 8)}`;
  const folder = join(tmpdir(), `fit-stack-${name}`);
  t.after(() => rm(folder, { recursive: true, force: true }));
  const start = async (): Promise<Stack> => {
    const ports = await freePorts();
    return await startStack({ name, folder, ports, servers: ['rabbitmq'], hasPasswords: true });
  };
  const passwordOf = ({ amqpUrl }: Stack): string => new URL(amqpUrl).password;

  const first = await start();
  await first.stop();

  const second = await start();
  assert.equal(passwordOf(second), passwordOf(first));
  assert.equal(await loginAs(`fit:${passwordOf(first)}`, second), 200);
  await second.stop();

  await rm(brokerFile(folder));
  const third = await start();
  assert.notEqual(passwordOf(third), passwordOf(first));
  assert.equal(await loginAs(`fit:${passwordOf(first)}`, third), 401);
  await third.stop({ purge: true });
});

/** @returns name and tags of each user, as the broker's own tool sees them. */
async function brokerUsers(stack: Stack): Promise<string[][]> {
  const list = await stack.rabbitmqctl(['list_users', '--silent', '--no-table-headers']);
  return list
    .trim()
    .split('\n')
    .map((line) => line.split('\t'));
}

/** @returns the status with which the broker answers this user. */
async function loginAs(login: string, { managementUrl }: Stack): Promise<number> {
  const { origin } = new URL(managementUrl ?? '');
  const reply = await fetch(`${origin}/api/whoami`, {
    headers: { authorization: `Basic ${Buffer.from(login).toString('base64')}` },
    signal: AbortSignal.timeout(10_000),
  });
  await reply.body?.cancel();
  return reply.status;
}
