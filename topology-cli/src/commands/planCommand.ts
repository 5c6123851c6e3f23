/** `topology plan`: everything that shall exist on a broker. */
import {
  type BrokerProfile,
  planTopology,
  provePlan,
  TopologyError,
  type TopologyPlan,
} from '@fit/topology';
import { openTopologyAdmin } from '@fit/topology/amqp';
import { refuseVersion } from '@fit/topology/management';
import {
  alignedRows,
  type Command,
  type CommandContext,
  DEFAULT_BROKER_VERSION,
  refusePositionals,
  textOption,
  UsageError,
} from '../command.ts';

export const plan: Command = {
  name: 'plan',
  summary: 'everything that shall exist on the broker',
  usage: `topology plan [--broker-version ${DEFAULT_BROKER_VERSION}] [--no-management]: exchanges, queues, bindings, policies

  --broker-version V     RabbitMQ version to plan for (default: that of the broker, else ${DEFAULT_BROKER_VERSION})
  --no-management        plans as without --management-url: limits are arguments of the queues, not policies`,
  options: {
    'broker-version': { type: 'string' },
    'no-management': { type: 'boolean' },
  },
  run: async (context) => {
    refusePositionals(context);
    const broker = await brokerProfile(context);
    refuseVersion(broker.version);
    const made = planTopology(context.declaration, broker);
    provePlan(context.declaration, made);
    if (context.isJson) context.print(JSON.stringify(made));
    else for (const line of planLines(made)) context.print(line);
    return 0;
  },
};

async function brokerProfile(context: CommandContext): Promise<BrokerProfile> {
  const allowsManagement = context.options['no-management'] !== true;
  const version = textOption(context, 'broker-version');
  if (version === undefined)
    return {
      version: await liveVersion(context),
      // As a process plans that is started with the same URLs.
      hasManagement: allowsManagement && context.managementUrl !== undefined,
    };
  if (/^\d+\.\d+\.\d+$/.test(version)) return { version, hasManagement: allowsManagement };
  throw new UsageError(
    `--broker-version '${version}' must be a version such as ${DEFAULT_BROKER_VERSION}`,
  );
}

/** The broker names its version in the AMQP handshake, so no management API is needed. */
async function liveVersion({ amqpUrl, log }: CommandContext): Promise<string> {
  try {
    const admin = await openTopologyAdmin(amqpUrl, 'topology plan');
    await admin.close();
    return admin.version;
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    log(`${error.message}\nplanned for RabbitMQ ${DEFAULT_BROKER_VERSION} instead`);
    return DEFAULT_BROKER_VERSION;
  }
}

function planLines({ broker, exchanges, queues, bindings, policies }: TopologyPlan): string[] {
  const sections: Readonly<Record<string, string[][]>> = {
    exchange: exchanges.map(({ name, type, alternate }) => [
      name,
      type,
      alternate === undefined ? '' : `else ${alternate}`,
    ]),
    queue: queues.map(({ name, role, arguments: values }) => [name, role, settingsText(values)]),
    binding: bindings.map(({ exchange, key, queue, arguments: values }) => [
      exchange,
      `[${key}]`,
      queue,
      settingsText(values),
    ]),
    policy: policies.map(({ name, pattern, definition }) => [
      name,
      pattern,
      settingsText(definition),
    ]),
  };
  return [
    `for RabbitMQ ${broker.version}, ${broker.hasManagement ? 'with' : 'without'} management API`,
    ...Object.entries(sections).flatMap(([title, rows]) => [
      '',
      ...alignedRows(rows).map((line) => `${title.padEnd(9)} ${line}`),
    ]),
  ];
}

function settingsText(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
