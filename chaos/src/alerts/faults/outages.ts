/** A server is gone: broker, database, monolith, Prometheus. */
import type { Fault } from '../fault.ts';

export const brokerDown: Fault = {
  name: 'broker down',
  about: 'RabbitMQ is killed',
  expected: ['TargetDown critical'],
  consequences: {
    'AmqpUnstable warning': 'told before the broker is known to be down, which then hides it',
  },
  inject: ({ stack }) => stack.kill('rabbitmq'),
  mend: ({ stack }) => stack.restart('rabbitmq'),
};

export const databaseDown: Fault = {
  name: 'database down',
  about: 'PostgreSQL behind the database gateway is killed',
  expected: ['StoreDown critical'],
  inject: ({ stack }) => stack.kill('postgresql'),
  mend: ({ stack }) => stack.restart('postgresql'),
};

export const monolithDown: Fault = {
  name: 'monolith down',
  about: 'the monolith is killed',
  expected: ['TargetDown critical', 'NoConsumers warning'],
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
  deadlineSeconds: 240,
  inject: ({ stack }) => stack.kill('prometheus'),
  mend: ({ stack }) => stack.restart('prometheus'),
};
