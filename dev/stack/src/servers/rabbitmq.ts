/**
 * The native RabbitMQ, with the plugins management and prometheus; everything listens on loopback only. This file writes its
 * configuration. The broker under Docker Compose is configured by prometheus/broker/ instead.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { StackPorts } from '../ports.ts';
import { type Credentials, loadCredentials } from './credentials.ts';
import {
  makeServerFolder,
  type ServerDefinition,
  type StackSettings,
  writeServerFile,
} from './serverDefinition.ts';
import { answersAmqp, answersHttp, answersManagement } from './serverProbes.ts';

const SALT_BYTES = 4;
const MAX_MESSAGE_BYTES = 1024 * 1024;
const STATISTICS_INTERVAL_MS = 5_000;
const HEARTBEAT_SECONDS = 10;

/** Two schedulers that do not busy-wait: the broker shares the machine with everything else here. */
const ERLANG_FLAGS = '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none';

/**
 * Starts Erlang's name server (epmd), then the broker. The parent of epmd is the shell that becomes the broker's VM, and
 * the kernel kills epmd with that parent, so that it survives neither a stop nor a kill -9. RUNNING_UNDER_SYSTEMD makes
 * the start script exec the VM, which then is the direct child and receives the signals itself.
 */
const START = `
setpriv --pdeathsig=KILL -- epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 &
export RUNNING_UNDER_SYSTEMD=true
exec /usr/lib/rabbitmq/bin/rabbitmq-server
`;

/** The broker of a stack. */
export function rabbitmq(settings: StackSettings): ServerDefinition {
  const { ports, brokerUser } = settings;
  return {
    name: 'rabbitmq',
    url: `amqp://127.0.0.1:${ports.amqp}`,
    command: ['sh', '-c', START],
    environment: brokerEnvironment(settings),
    listensOn: ['amqp', 'management', 'brokerMetrics'],
    prepare: () => prepare(settings),
    ready: async () =>
      (await answersAmqp(ports.amqp, brokerUser)) &&
      (await answersManagement(ports.management, brokerUser)) &&
      (await answersHttp(`http://127.0.0.1:${ports.brokerMetrics}/metrics`)),
    deadlineMs: 90_000,
    stopSignal: 'SIGTERM',
  };
}

/** The environment of the broker and of its command-line tools. */
export function brokerEnvironment(settings: StackSettings): Record<string, string> {
  const loopbackOnly = '-kernel inet_dist_use_interface {127,0,0,1}';
  // Passed on the command line, because rabbitmq.conf has names for only some of them.
  const brokerSettings = Object.entries(settings.brokerSettings).map(
    ([name, value]) => `-rabbit ${name} ${value}`,
  );
  return {
    HOME: '/stack/rabbitmq',
    RABBITMQ_NODENAME: nodeName(settings.name),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(settings.ports.amqp),
    RABBITMQ_DIST_PORT: String(settings.distributionPort),
    ERL_EPMD_PORT: String(settings.epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_MNESIA_BASE: '/stack/rabbitmq/data',
    RABBITMQ_LOG_BASE: '/stack/rabbitmq/log',
    RABBITMQ_ENABLED_PLUGINS_FILE: '/stack/rabbitmq/enabled_plugins',
    RABBITMQ_CONFIG_FILE: '/stack/rabbitmq/rabbitmq.conf',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [ERLANG_FLAGS, loopbackOnly, ...brokerSettings].join(' '),
    RABBITMQ_CTL_ERL_ARGS: loopbackOnly,
  };
}

/** The name is stable for a stack, since the broker's data folder is named after it, and distinct between stacks. */
function nodeName(stackName: string): string {
  return `fit-${stackName.toLowerCase().replace(/[^a-z0-9-]/g, '-')}@localhost`;
}

function brokerConfiguration({ ports, brokerUser }: StackSettings): string {
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

async function prepare(settings: StackSettings): Promise<void> {
  const folder = join(settings.folder, 'rabbitmq');
  for (const path of [folder, join(folder, 'data'), join(folder, 'log')]) {
    await makeServerFolder(path);
  }
  await writeServerFile(join(folder, 'rabbitmq.conf'), brokerConfiguration(settings));
  if (settings.brokerUser !== undefined)
    await writeServerFile(
      join(folder, 'definitions.json'),
      brokerDefinitions(settings.brokerUser),
      0o600,
    );
  await writeServerFile(
    join(folder, 'enabled_plugins'),
    '[rabbitmq_management,rabbitmq_prometheus].\n',
  );
  const cookie = join(folder, '.erlang.cookie');
  if (!existsSync(cookie)) await writeServerFile(cookie, randomBytes(16).toString('hex'), 0o400);
}

/** Where a stack keeps the URLs of its broker, with the password. */
export function brokerFile(folder: string): string {
  return join(folder, 'broker.env');
}

/** As `loadCredentials`, with the broker's URLs for this start's ports. */
export function loadBrokerUser(folder: string, ports: StackPorts): Credentials {
  return loadCredentials({
    path: brokerFile(folder),
    variable: 'AMQP_URL',
    variables: (userInfo) => ({
      AMQP_URL: `amqp://${userInfo}@127.0.0.1:${ports.amqp}`,
      AMQP_MANAGEMENT_URL: `http://${userInfo}@127.0.0.1:${ports.management}`,
      BROKER: userInfo,
    }),
  });
}

/**
 * The definitions that the broker imports at every start. They hold the user with its present password, which replaces
 * the one in the broker's data, and the virtual host, which the broker makes by itself only if nothing is imported.
 * @returns JSON, with a salted hash in place of the password.
 */
function brokerDefinitions({ name, password }: Credentials): string {
  const salt = randomBytes(SALT_BYTES);
  const digest = createHash('sha256').update(salt).update(password).digest();
  const user = {
    name,
    password_hash: Buffer.concat([salt, digest]).toString('base64'),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags: ['administrator'],
  };
  const permissions = { user: name, vhost: '/', configure: '.*', write: '.*', read: '.*' };
  return JSON.stringify({
    users: [user],
    vhosts: [{ name: '/' }],
    permissions: [permissions],
  });
}
