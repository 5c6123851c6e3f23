/** Goal: a given server is used and none of its kind is started. Method: the plan, without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planServers } from '../../src/launch/startStack.ts';

test('everything is started, in order, when no server is given', () => {
  const { start, amqpUrl } = planServers(undefined, { AMQP_URL: '' });
  assert.deepEqual(start, ['rabbitmq', 'postgresql', 'gateway', 'alertmanager', 'prometheus']);
  assert.equal(amqpUrl, undefined);
});

test('a given broker replaces the own one, and its management URL is taken over', () => {
  const environment = { AMQP_URL: 'amqp://b', AMQP_MANAGEMENT_URL: 'http://m' };
  const plan = planServers(['rabbitmq', 'gateway'], environment);
  assert.deepEqual(plan.start, ['postgresql', 'gateway']);
  assert.equal(plan.amqpUrl, 'amqp://b');
  assert.equal(plan.managementUrl, 'http://m');
});

test('a given database replaces PostgreSQL and gateway', () => {
  const plan = planServers(undefined, { MONGODB_URL: 'mongodb://d' });
  assert.deepEqual(plan.start, ['rabbitmq', 'alertmanager', 'prometheus']);
  assert.equal(plan.mongodbUrl, 'mongodb://d');
});

test('Redis is started only where it is named', () => {
  assert.ok(!planServers(undefined, {}).start.includes('redis'));
  assert.deepEqual(planServers(['redis'], {}).start, ['redis']);
});
