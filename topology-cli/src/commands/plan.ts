/** `topology plan`: everything that shall exist, for a broker version. */

import type { BrokerProfile, TopologyPlan } from '@fit/topology';
import { planTopology, provePlan, TopologyError } from '@fit/topology';
import { openTopologyAdmin } from '@fit/topology/amqp';
import { refuseVersion } from '@fit/topology/management';
import { type Command, type Context, textOf, UsageError } from '../command.ts';
import { refuseWords } from '../liveApi.ts';

/** Where no broker answers. */
const FALLBACK_VERSION = '4.3.6';

export const plan: Command = {
  name: 'plan',
  summary: 'everything that shall exist on the broker',
  usage: `topology plan [--broker-version ${FALLBACK_VERSION}] [--no-management]: exchanges, queues, bindings, policies

  --broker-version V     RabbitMQ to plan for; else the live broker's version, else ${FALLBACK_VERSION}
  --no-management        as without --management-url: limits are arguments of the queues, not policies`,
  options: {
    'broker-version': { type: 'string' },
    'no-management': { type: 'boolean' },
  },
  run: async (context) => {
    refuseWords(context);
    const broker = await brokerOf(context);
    refuseVersion(broker.version);
    const made = planTopology(context.declaration, broker);
    provePlan(context.declaration, made);
    if (context.isJson) context.print(JSON.stringify(made));
    else for (const line of planLines(made)) context.print(line);
    return 0;
  },
};

async function brokerOf(context: Context): Promise<BrokerProfile> {
  const hasManagement = context.values['no-management'] !== true;
  const version = textOf(context, 'broker-version');
  if (version === undefined)
    return {
      version: await liveVersion(context),
      // As a process would plan that is started with the same URLs.
      hasManagement: hasManagement && context.managementUrl !== undefined,
    };
  if (/^\d+\.\d+\.\d+$/.test(version)) return { version, hasManagement };
  throw new UsageError(
    `--broker-version '${version}' must be a version, such as ${FALLBACK_VERSION}`,
  );
}

/** The broker itself says it at the handshake, with or without management API. */
async function liveVersion({ amqpUrl, say }: Context): Promise<string> {
  try {
    const hand = await openTopologyAdmin(amqpUrl, 'topology plan');
    await hand.close();
    return hand.version;
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    say(`${error.message}\nplanned for RabbitMQ ${FALLBACK_VERSION} instead`);
    return FALLBACK_VERSION;
  }
}

function planLines(made: TopologyPlan): string[] {
  const { version, hasManagement } = made.broker;
  const sections: readonly [title: string, rows: readonly (readonly string[])[]][] = [
    ['exchange', made.exchanges.map((one) => [one.name, one.type, alternate(one.alternate)])],
    ['queue', made.queues.map((one) => [one.name, one.role, settings(one.arguments)])],
    [
      'binding',
      made.bindings.map((one) => [
        one.exchange,
        `[${one.key}]`,
        one.queue,
        settings(one.arguments),
      ]),
    ],
    ['policy', made.policies.map((one) => [one.name, one.pattern, settings(one.definition)])],
  ];
  return [
    `for RabbitMQ ${version}, ${hasManagement ? 'with' : 'without'} management API`,
    ...sections.flatMap(([title, rows]) => ['', ...table(title, rows)]),
  ];
}

function table(title: string, rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '),
  );
  return lines.map((line) => `${title.padEnd(9)} ${line}`.trimEnd());
}

function alternate(exchange: string | undefined): string {
  return exchange === undefined ? '' : `else ${exchange}`;
}

function settings(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
