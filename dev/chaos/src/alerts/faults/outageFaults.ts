/** A server is down or has no memory left: broker, database, monolith, Prometheus. */
import { type Fault, outageSideAlerts } from '../fault.ts';

export const brokerOutOfMemory: Fault = {
  name: 'broker out of memory',
  description:
    'the memory that raises the alarm of the broker is set below what it uses: it blocks all publishers',
  expected: ['BrokerAlarm critical'],
  labels: { 'BrokerAlarm critical': { resource: 'memory' } },
  sideAlerts: {
    ...outageSideAlerts,
    'BrokerAlarm warning': 'the alarm has ended, and the use of memory is read a moment later',
  },
  inject: async ({ stack }) => {
    await stack.rabbitmqctl(['set_vm_memory_high_watermark', 'absolute', '20MiB']);
  },
  repair: async ({ stack }) => {
    await stack.rabbitmqctl(['set_vm_memory_high_watermark', '0.6']);
  },
};

export const brokerDown: Fault = {
  name: 'broker down',
  description: 'RabbitMQ is killed',
  expected: ['TargetDown critical'],
  labels: { 'TargetDown critical': { job: /^rabbitmq/ } },
  sideAlerts: outageSideAlerts,
  inject: ({ stack }) => stack.kill('rabbitmq'),
  repair: ({ stack }) => stack.restart('rabbitmq'),
};

export const databaseDown: Fault = {
  name: 'database down',
  description: 'PostgreSQL behind the database gateway is killed',
  expected: ['StoreDown critical'],
  sideAlerts: outageSideAlerts,
  inject: ({ stack }) => stack.kill('postgresql'),
  repair: ({ stack }) => stack.restart('postgresql'),
};

export const monolithDown: Fault = {
  name: 'monolith down',
  description: 'the monolith is killed',
  expected: ['TargetDown critical', 'NoConsumers warning'],
  labels: {
    'TargetDown critical': { job: 'monolith' },
    'NoConsumers warning': { queue: 'createWodQueue.dead' },
  },
  inject: async ({ system }) => {
    await system.monolith.child.kill();
  },
  repair: ({ system }) => system.restartMonolith(),
};

export const prometheusDown: Fault = {
  name: 'Prometheus down',
  description: 'Prometheus is killed: the Watchdog no longer reaches its receiver',
  expected: [],
  silencesWatchdog: true,
  // Alertmanager keeps an alert for four minutes after Prometheus sent it last.
  deadlineSeconds: 300,
  inject: ({ stack }) => stack.kill('prometheus'),
  repair: ({ stack }) => stack.restart('prometheus'),
};
