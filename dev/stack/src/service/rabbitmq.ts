/** RabbitMQ with management and prometheus plugins, bound to loopback in every respect. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { answersAmqp } from '../probe/answersAmqp.ts';
import { answersHttp, answersManagement, removesGuest } from '../probe/answersHttp.ts';
import { brokerDefinitions } from './brokerUser.ts';
import type { ServiceDefinition, StackPlace } from './serviceDefinition.ts';
import { makeServiceFolder, writeServiceFile } from './serviceFolder.ts';

const MAX_MESSAGE_BYTES = 1024 * 1024;
const STATISTICS_INTERVAL_MS = 5000;
const HEARTBEAT_SECONDS = 10;

/** Two schedulers that do not spin: the broker shares the machine with everything else here. */
const MODEST_VM = '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none';

/**
 * Erlang's name server lives and dies with the broker: its parent is the shell that becomes the
 * broker's VM, and the kernel kills it with that parent. So nothing of it survives a stop, nor a
 * kill -9. RUNNING_UNDER_SYSTEMD makes the start script exec the VM, which then is the direct child
 * and takes the signals itself.
 */
const START = `
setpriv --pdeathsig=KILL -- epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 &
export RUNNING_UNDER_SYSTEMD=true
exec /usr/lib/rabbitmq/bin/rabbitmq-server
`;

/** The broker of a stack. */
export function rabbitmq(place: StackPlace): ServiceDefinition {
  const { ports, brokerUser } = place;
  return {
    name: 'rabbitmq',
    url: `amqp://127.0.0.1:${ports.amqp}`,
    command: ['sh', '-c', START],
    environment: brokerEnvironment(place),
    listensOn: ['amqp', 'management', 'brokerMetrics'],
    prepare: () => prepare(place),
    ready: async () =>
      (await answersAmqp(ports.amqp)) &&
      (await answersManagement(ports.management, brokerUser)) &&
      (await answersHttp(`http://127.0.0.1:${ports.brokerMetrics}/metrics`)) &&
      // Data from before the broker had a user of its own have guest.
      (brokerUser === undefined || (await removesGuest(ports.management, brokerUser))),
    deadlineMs: 90_000,
    stopSignal: 'SIGTERM',
  };
}

/** The environment of the broker and of its command-line tools. */
export function brokerEnvironment(place: StackPlace): Record<string, string> {
  const loopbackOnly = '-kernel inet_dist_use_interface {127,0,0,1}';
  // On the command line, because rabbitmq.conf knows only some of them by name.
  const settings = Object.entries(place.brokerSettings).map(
    ([name, value]) => `-rabbit ${name} ${value}`,
  );
  return {
    HOME: '/stack/rabbitmq',
    RABBITMQ_NODENAME: nodeName(place.name),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(place.ports.amqp),
    RABBITMQ_DIST_PORT: String(place.distributionPort),
    ERL_EPMD_PORT: String(place.epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_MNESIA_BASE: '/stack/rabbitmq/data',
    RABBITMQ_LOG_BASE: '/stack/rabbitmq/log',
    RABBITMQ_ENABLED_PLUGINS_FILE: '/stack/rabbitmq/enabled_plugins',
    RABBITMQ_CONFIG_FILE: '/stack/rabbitmq/rabbitmq.conf',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [MODEST_VM, loopbackOnly, ...settings].join(' '),
    RABBITMQ_CTL_ERL_ARGS: loopbackOnly,
  };
}

/** Stable for a stack (its data folder is named after it) and distinct between stacks. */
function nodeName(stackName: string): string {
  return `fit-${stackName.toLowerCase().replace(/[^a-z0-9-]/g, '-')}@localhost`;
}

function brokerConfiguration({ ports, brokerUser }: StackPlace): string {
  return [
    'log.console = true',
    'log.console.level = info',
    'log.console.use_colors = off',
    'log.file = false',
    'management.tcp.ip = 127.0.0.1',
    `management.tcp.port = ${ports.management}`,
    'prometheus.tcp.ip = 127.0.0.1',
    `prometheus.tcp.port = ${ports.brokerMetrics}`,
    `max_message_size = ${MAX_MESSAGE_BYTES}`,
    `collect_statistics_interval = ${STATISTICS_INTERVAL_MS}`,
    `heartbeat = ${HEARTBEAT_SECONDS}`,
    ...(brokerUser === undefined ? [] : ['load_definitions = /stack/rabbitmq/definitions.json']),
    '',
  ].join('\n');
}

async function prepare(place: StackPlace): Promise<void> {
  const folder = join(place.folder, 'rabbitmq');
  for (const path of [folder, join(folder, 'data'), join(folder, 'log')]) {
    await makeServiceFolder(path);
  }
  await writeServiceFile(join(folder, 'rabbitmq.conf'), brokerConfiguration(place));
  if (place.brokerUser !== undefined)
    await writeServiceFile(
      join(folder, 'definitions.json'),
      brokerDefinitions(place.brokerUser),
      0o600,
    );
  await writeServiceFile(
    join(folder, 'enabled_plugins'),
    '[rabbitmq_management,rabbitmq_prometheus].\n',
  );
  const cookie = join(folder, '.erlang.cookie');
  if (!existsSync(cookie)) await writeServiceFile(cookie, randomBytes(16).toString('hex'), 0o400);
}
