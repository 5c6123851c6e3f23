/**
 * Goal: a stack comes up, survives kill -9 of its servers with its data, stands beside another one,
 * and leaves nothing behind. Method: real services on free ports, in random folders.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePorts, type Stack, startStack } from '../../src/index.ts';
import { answersMongo } from '../../src/probe/answersMongo.ts';
import { processesOnFolder } from '../../src/process/processTable.ts';

const VHOST = 'survivor';

describe('a stack with everything', () => {
  const name = `test-${randomUUID().slice(0, 8)}`;
  const folder = join(tmpdir(), `fit-stack-${name}`);
  let stack: Stack;
  let mongodbPort = 0;

  before(async () => {
    const ports = await freePorts();
    mongodbPort = ports.mongodb;
    stack = await startStack({ name, folder, ports });
  });
  after(async () => {
    await stack.stop({ purge: true });
    assert.deepEqual(processesOnFolder(folder), []);
    assert.equal(existsSync(folder), false);
  });

  test('runs five services as direct children', () => {
    assert.equal(stack.services.length, 5);
    const children = processesOnFolder(folder);
    for (const { pid } of stack.services) assert.ok(children.includes(pid));
  });

  test('refuses a second launcher on the same folder', async () => {
    const second = startStack({ name, folder, ports: await freePorts() });
    await assert.rejects(second, { code: 'STACK_RUNNING' });
  });

  test('says which port is taken, and starts nothing', async (t) => {
    const ports = { ...(await freePorts()), mongodb: mongodbPort };
    const elsewhere = join(tmpdir(), `fit-stack-${randomUUID()}`);
    t.after(() => rm(elsewhere, { recursive: true, force: true }));
    const second = startStack({ name: 'taken', folder: elsewhere, ports, services: ['gateway'] });
    await assert.rejects(second, { code: 'PORT_TAKEN', message: /FIT_PORT_MONGODB/ });
    assert.deepEqual(processesOnFolder(elsewhere), []);
  });

  test('stands beside a second one, which keeps its broker to itself', async (t) => {
    const other = `test-${randomUUID().slice(0, 8)}`;
    const options = { name: other, folder: join(tmpdir(), `fit-stack-${other}`) };
    const second = await startStack({
      ...options,
      ports: await freePorts(),
      services: ['rabbitmq'],
    });
    t.after(() => second.stop({ purge: true }));
    const status = await second.rabbitmqctl(['eval', 'rabbit_nodes:list_members().', '--silent']);
    assert.match(status, new RegExp(`fit-${other}@localhost`));
    assert.doesNotMatch(status, new RegExp(`fit-${name}@localhost`));
  });

  test('the broker comes back from kill -9 with its data', async () => {
    await stack.rabbitmqctl(['add_vhost', VHOST]);
    await stack.kill('rabbitmq', 'SIGKILL');
    assert.equal(stack.services.length, 4);
    await stack.restart('rabbitmq');
    assert.match(await stack.rabbitmqctl(['list_vhosts', '--silent']), /survivor/);
  });

  test('the database comes back from kill -9; the gateway recovers by itself', async () => {
    await stack.kill('postgresql', 'SIGKILL');
    assert.equal(await answersMongo(mongodbPort), false);
    await stack.restart('postgresql');
    assert.equal(await answersMongo(mongodbPort), true);
  });

  test('an exit that nobody asked for is reported with the log', async () => {
    const gateway = stack.services.find((service) => service.name === 'gateway');
    const reported = new Promise((resolve) => {
      stack.onUnexpectedExit((service) => {
        resolve(service);
      });
    });
    process.kill(gateway?.pid ?? process.pid, 'SIGKILL');
    assert.equal(await reported, 'gateway');
    await stack.restart('gateway');
    assert.equal(await answersMongo(mongodbPort), true);
  });
});
