/** Management API → `Live`. Six requests at once; the fields that are read are the same on 3.10.8, 4.0.5 and 4.3.6. */
import type {
  Arguments,
  LiveBinding,
  LiveExchange,
  LivePolicy,
  LiveQueue,
  LiveTopology,
} from './liveTopology.ts';
import type { ManagementApi } from './managementApi.ts';

/**
 * Reads one virtual host; its counts of messages lag behind by up to ten seconds.
 * @throws TopologyError, Error as `ManagementApi.get`.
 */
export async function readLive(api: ManagementApi): Promise<LiveTopology> {
  const [exchanges, queues, bindings, policies, operatorPolicies, consumers] = await Promise.all([
    list(api, 'exchanges'),
    list(api, 'queues'),
    list(api, 'bindings'),
    list(api, 'policies'),
    list(api, 'operator-policies'),
    list(api, 'consumers'),
  ]);
  const isOurs = ({ name }: { name: string }) => name !== '' && !name.startsWith('amq.');
  return {
    exchanges: exchanges.map(readExchange).filter(isOurs),
    queues: queues.map((queue) => readQueue(queue, consumers)),
    bindings: bindings.map(readBinding).filter(({ source }) => source !== ''),
    policies: policies.map(readPolicy),
    operatorPolicies: operatorPolicies.map(readPolicy),
  };
}

/** Policies of users and of operators, without the rest. */
export async function readPolicies(
  api: ManagementApi,
): Promise<Pick<LiveTopology, 'policies' | 'operatorPolicies'>> {
  const [policies, operatorPolicies] = await Promise.all([
    list(api, 'policies'),
    list(api, 'operator-policies'),
  ]);
  return { policies: policies.map(readPolicy), operatorPolicies: operatorPolicies.map(readPolicy) };
}

export async function readBindings(api: ManagementApi): Promise<readonly LiveBinding[]> {
  const bindings = await list(api, 'bindings');
  return bindings.map(readBinding).filter(({ source }) => source !== '');
}

export async function readQueues(api: ManagementApi): Promise<readonly LiveQueue[]> {
  const [queues, consumers] = await Promise.all([list(api, 'queues'), list(api, 'consumers')]);
  return queues.map((queue) => readQueue(queue, consumers));
}

type Json = Readonly<Record<string, unknown>>;

async function list(api: ManagementApi, what: string): Promise<readonly Json[]> {
  return (await api.get([what, api.vhost])) as readonly Json[];
}

function readExchange(json: Json): LiveExchange {
  return {
    name: text(json['name']) ?? '',
    type: text(json['type']) ?? '',
    isDurable: json['durable'] === true,
    isAutoDelete: json['auto_delete'] === true,
    arguments: table(json['arguments']),
  };
}

function readQueue(json: Json, consumers: readonly Json[]): LiveQueue {
  const name = text(json['name']) ?? '';
  const settings = table(json['arguments']);
  return {
    name,
    type: text(json['type']) ?? text(settings['x-queue-type']) ?? 'classic',
    isDurable: json['durable'] === true,
    isAutoDelete: json['auto_delete'] === true,
    arguments: settings,
    policy: text(json['policy']),
    operatorPolicy: text(json['operator_policy']),
    effectivePolicy: table(json['effective_policy_definition']),
    messageCount: count(json['messages']),
    readyCount: count(json['messages_ready']),
    awaitingTransferCount: count(json['messages_dlx']),
    // The list is sooner than the queue's own number, but both lag behind.
    consumerCount: Math.max(
      consumers.filter((one) => table(one['queue'])['name'] === name).length,
      count(json['consumers']) ?? 0,
    ),
  };
}

function readBinding(json: Json): LiveBinding {
  return {
    source: text(json['source']) ?? '',
    destination: text(json['destination']) ?? '',
    destinationType: json['destination_type'] === 'exchange' ? 'exchange' : 'queue',
    key: text(json['routing_key']) ?? '',
    arguments: table(json['arguments']),
  };
}

function readPolicy(json: Json): LivePolicy {
  return {
    name: text(json['name']) ?? '',
    pattern: text(json['pattern']) ?? '',
    definition: table(json['definition']),
    applyTo: text(json['apply-to']) ?? 'all',
    priority: count(json['priority']) ?? 0,
  };
}

/** Empty text is what the broker says for none. */
function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** Older brokers spell an empty table as an empty list. */
function table(value: unknown): Arguments {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Arguments)
    : {};
}
