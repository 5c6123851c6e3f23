/** Goal: ports are documented, moved by the environment, and refused when wrong. Method: calls without I/O; real sockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePortList, freePorts, portIsTaken, portsFrom, portVariable } from '../src/ports.ts';
import { holdLock } from '../src/process/holdLock.ts';

test('without variables the ports are the documented ones', () => {
  const ports = portsFrom({});
  assert.equal(ports.amqp, 12104);
  assert.equal(ports.coachMetrics, 12112);
});

test('a variable moves its port and no other', () => {
  const ports = portsFrom({ FIT_PORT_BROKER_METRICS: '9000' });
  assert.equal(ports.brokerMetrics, 9000);
  assert.equal(ports.monolith, 12100);
  assert.equal(portVariable('monolithMetrics'), 'FIT_PORT_MONOLITH_METRICS');
});

test('all bad values are reported at once', () => {
  const bad = { FIT_PORT_AMQP: 'amqp', FIT_PORT_COACH: '70000' };
  assert.throws(() => portsFrom(bad), /FIT_PORT_COACH='70000'[^]*FIT_PORT_AMQP='amqp'/);
});

test('free ports are free and distinct', async () => {
  const ports = Object.values(await freePorts()) as number[];
  assert.equal(new Set(ports).size, 12);
  for (const port of ports) assert.equal(await portIsTaken(port), false);
});

test('a reserved port is outside the ephemeral range, and no other caller gets it', async () => {
  const lists = await Promise.all(Array.from({ length: 30 }, () => freePortList(10)));
  const ports = lists.flat();
  assert.equal(new Set(ports).size, 300);
  assert.ok(ports.every((port) => port >= 15_000 && port < 32_000));
  for (const port of ports.slice(0, 10))
    assert.equal(await holdLock(`port ${port}`), undefined, `${port} is not reserved`);
});
