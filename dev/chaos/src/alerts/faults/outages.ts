/** A server is gone: broker, database, monolith, Prometheus. */
import { IN_THE_WAKE } from '../consequences.ts';
import type { Fault } from '../fault.ts';

export const brokerDown: Fault = {
  name: 'broker down',
  about: 'RabbitMQ is killed',
  expected: ['TargetDown critical'],
  labels: { 'TargetDown critical': { job: /^rabbitmq/ } },
  consequences: {
    ...IN_THE_WAKE,
    'AmqpUnstable warning': 'told before the broker is known to be down, which then hides it',
  },
  inject: ({ stack }) => stack.kill('rabbitmq'),
  mend: ({ stack }) => stack.restart('rabbitmq'),
};

export const databaseDown: Fault = {
  name: 'database down',
  about: 'PostgreSQL behind the database gateway is killed',
  expected: ['StoreDown critical'],
  consequences: IN_THE_WAKE,
  inject: ({ stack }) => stack.kill('postgresql'),
  mend: ({ stack }) => stack.restart('postgresql'),
};

export const monolithDown: Fault = {
  name: 'monolith down',
  about: 'the monolith is killed',
  expected: ['TargetDown critical', 'NoConsumers warning'],
  labels: {
    'TargetDown critical': { job: 'monolith' },
    'NoConsumers warning': { queue: 'createWodQueue.dead' },
  },
  inject: async ({ system }) => {
    await system.monolith.child.kill();
  },
  mend: ({ system }) => system.restartMonolith(),
};

export const prometheusDown: Fault = {
  name: 'Prometheus down',
  about: 'Prometheus is killed: the Watchdog no longer reaches the dead-man receiver',
  expected: [],
  silencesWatchdog: true,
  // Alertmanager holds an alert for four minutes after Prometheus last sent it.
  deadlineSeconds: 300,
  inject: ({ stack }) => stack.kill('prometheus'),
  mend: ({ stack }) => stack.restart('prometheus'),
};

export const brokerAlarm: Fault = {
  name: 'broker out of memory',
  about:
    'the memory that raises the broker’s alarm is set below what it uses: it blocks all publishers',
  expected: ['BrokerAlarm critical'],
  consequences: {
    ...IN_THE_WAKE,
    'BrokerMemoryHigh warning': 'it names the resource',
    'AmqpUnstable warning': 'told before the alarm is, which then hides it',
  },
  inject: async ({ stack }) => {
    await stack.rabbitmqctl(['set_vm_memory_high_watermark', 'absolute', '20MiB']);
  },
  mend: async ({ stack }) => {
    await stack.rabbitmqctl(['set_vm_memory_high_watermark', '0.6']);
  },
};
