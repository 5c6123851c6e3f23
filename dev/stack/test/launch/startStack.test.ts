/**
 * Goal: a stack starts, keeps its data when its servers are killed, runs beside another stack, and leaves nothing behind.
 * Method: real servers on free ports, in random folders.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import { freePorts, type Stack, startStack } from '../../src/index.ts';
import { processesOnFolder } from '../../src/process/processTable.ts';
import { answersMongo } from '../../src/servers/serverProbes.ts';

const VHOST = 'survivor';

describe('a stack with everything', () => {
  const name = `test-${randomUUID().slice(0, 8)}`;
  const folder = join(tmpdir(), `fit-stack-${name}`);
  const lines: string[] = [];
  let stack: Stack;
  let mongodbPort = 0;

  before(async () => {
    const ports = await freePorts();
    mongodbPort = ports.mongodb;
    stack = await startStack({ name, folder, ports, onProgress: (line) => lines.push(line) });
  });
  after(async () => {
    await stack.stop({ purge: true });
    assert.deepEqual(processesOnFolder(folder), []);
    assert.equal(existsSync(folder), false);
  });

  test('runs five servers as direct children', () => {
    assert.equal(stack.servers.length, 5);
    const children = processesOnFolder(folder);
    for (const { pid } of stack.servers) assert.ok(children.includes(pid));
  });

  test('refuses a second launcher on the same folder', async () => {
    const second = startStack({ name, folder, ports: await freePorts() });
    await assert.rejects(second, { code: 'STACK_RUNNING' });
  });

  test('names the port that is taken, and starts nothing', async (t) => {
    const ports = { ...(await freePorts()), mongodb: mongodbPort };
    const elsewhere = join(tmpdir(), `fit-stack-${randomUUID()}`);
    t.after(() => rm(elsewhere, { recursive: true, force: true }));
    const second = startStack({ name: 'taken', folder: elsewhere, ports, servers: ['gateway'] });
    await assert.rejects(second, { code: 'PORT_TAKEN', message: /FIT_PORT_MONGODB/ });
    assert.deepEqual(processesOnFolder(elsewhere), []);
  });

  test('runs beside a second stack, whose broker is not part of its own', async (t) => {
    const other = `test-${randomUUID().slice(0, 8)}`;
    const options = { name: other, folder: join(tmpdir(), `fit-stack-${other}`) };
    const second = await startStack({
      ...options,
      ports: await freePorts(),
      servers: ['rabbitmq'],
    });
    t.after(() => second.stop({ purge: true }));
    const status = await second.rabbitmqctl(['eval', 'rabbit_nodes:list_members().', '--silent']);
    assert.match(status, new RegExp(`fit-${other}@localhost`));
    assert.doesNotMatch(status, new RegExp(`fit-${name}@localhost`));
  });

  test('the broker has its data after kill -9 and a restart', async () => {
    await stack.rabbitmqctl(['add_vhost', VHOST]);
    await stack.kill('rabbitmq', 'SIGKILL');
    assert.equal(stack.servers.length, 4);
    await stack.restart('rabbitmq');
    assert.match(await stack.rabbitmqctl(['list_vhosts', '--silent']), /survivor/);
  });

  test('the database answers after kill -9 and a restart, and the gateway recovers by itself', async () => {
    await stack.kill('postgresql', 'SIGKILL');
    await assert.rejects(answersMongo(mongodbPort));
    await stack.restart('postgresql');
    assert.equal(await answersMongo(mongodbPort), true);
  });

  test('runs SQL statements on the database, and reports the one that fails', async () => {
    assert.equal(await stack.psql("select 1 + 1, 'a'"), '2|a\n');
    const failing = stack.psql('select 1; select no_such_column');
    await assert.rejects(failing, { code: 'COMMAND_FAILED', message: /no_such_column/ });
  });

  test('an unexpected exit is reported', async () => {
    const gateway = stack.servers.find((server) => server.name === 'gateway');
    assert.ok(gateway);
    process.kill(gateway.pid, 'SIGKILL');
    await eventually(
      () => lines.some((line) => line.startsWith('gateway ended unexpectedly (SIGKILL)')),
      {
        describe: () => lines.join('\n'),
      },
    );
    await stack.restart('gateway');
    assert.equal(await answersMongo(mongodbPort), true);
  });
});
