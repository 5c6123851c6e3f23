/** Goal: given servers are used and none of that kind is started. Method: the pure plan. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planServices } from '../../src/launch/planServices.ts';

test('everything, in starting order, when nothing is given', () => {
  const { start, amqpUrl } = planServices(undefined, { AMQP_URL: '' });
  assert.deepEqual(start, ['rabbitmq', 'postgresql', 'gateway', 'alertmanager', 'prometheus']);
  assert.equal(amqpUrl, undefined);
});

test('a given broker replaces ours, with its management when told', () => {
  const environment = { AMQP_URL: 'amqp://b', AMQP_MANAGEMENT_URL: 'http://m' };
  const plan = planServices(['rabbitmq', 'gateway'], environment);
  assert.deepEqual(plan.start, ['postgresql', 'gateway']);
  assert.equal(plan.amqpUrl, 'amqp://b');
  assert.equal(plan.managementUrl, 'http://m');
});

test('a given database replaces PostgreSQL and gateway', () => {
  const plan = planServices(undefined, { MONGODB_URL: 'mongodb://d' });
  assert.deepEqual(plan.start, ['rabbitmq', 'alertmanager', 'prometheus']);
  assert.equal(plan.mongodbUrl, 'mongodb://d');
});
