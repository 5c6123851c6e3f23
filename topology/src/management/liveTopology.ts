/**
 * The objects of a virtual host as plain data, read from the management API. The fields that are read are alike on 3.10.8,
 * 4.0.5 and 4.3.6.
 */
import type { ManagementApi } from './managementApi.ts';

/** Arguments of an exchange, queue or binding, or definition of a policy, by the broker's own names. */
export type Arguments = Readonly<Record<string, unknown>>;

/** An exchange as the broker describes it. */
export interface LiveExchange {
  readonly name: string;
  readonly type: string;
  readonly isDurable: boolean;
  readonly isAutoDelete: boolean;
  readonly arguments: Arguments;
}

/** A queue as the broker describes it, with its counts. */
export interface LiveQueue {
  readonly name: string;
  /** 'quorum', 'classic' or 'stream'. */
  readonly type: string;
  readonly isDurable: boolean;
  readonly isAutoDelete: boolean;
  readonly arguments: Arguments;
  /** User policy in force; undefined if there is none, or if the broker does not report it yet. */
  readonly policy: string | undefined;
  /** Operator policy in force; undefined likewise. */
  readonly operatorPolicy: string | undefined;
  /** Definition of both policies, merged. */
  readonly effectivePolicy: Arguments;
  /** Ready, unsettled and awaiting transfer; undefined until the first statistics, up to 5 s after the declaration. */
  readonly messageCount: number | undefined;
  readonly readyCount: number | undefined;
  /** Dead-lettered messages that their next queue has not confirmed, because it is full for instance. Undefined for a classic queue. */
  readonly awaitingTransferCount: number | undefined;
  /** Lags by up to 5 s. */
  readonly consumerCount: number;
}

/** A binding from an exchange to a queue or to another exchange. */
export interface LiveBinding {
  readonly source: string;
  readonly destination: string;
  readonly destinationType: 'queue' | 'exchange';
  readonly key: string;
  readonly arguments: Arguments;
}

/** A policy of users or of operators. */
export interface LivePolicy {
  readonly name: string;
  readonly pattern: string;
  readonly definition: Arguments;
  /** 'queues', 'all', 'quorum_queues' and the like. */
  readonly applyTo: string;
  readonly priority: number;
}

/** All objects of a virtual host. */
export interface LiveTopology {
  /** Exchanges without the broker's own: the default exchange, and names with `amq.`. */
  readonly exchanges: readonly LiveExchange[];
  readonly queues: readonly LiveQueue[];
  /** Bindings without those of the default exchange. */
  readonly bindings: readonly LiveBinding[];
  readonly policies: readonly LivePolicy[];
  readonly operatorPolicies: readonly LivePolicy[];
}

/** @returns JSON that is the same for equal values, whatever the order of their fields. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** @returns a text that identifies a binding, also in messages for people. */
export function bindingText(binding: LiveBinding): string {
  const { source, destination, destinationType, key, arguments: headers } = binding;
  const match =
    Object.keys(headers).length === 0 ? `[${key}]` : `[${key}] ${canonicalText(headers)}`;
  return `${source} ${match} -> ${destinationType === 'queue' ? '' : 'exchange '}${destination}`;
}

/**
 * Reads one virtual host by six requests at once. Its message counts lag by up to ten seconds.
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
  const isOfUsers = ({ name }: { name: string }) => name !== '' && !name.startsWith('amq.');
  return {
    exchanges: exchanges.map(readExchange).filter(isOfUsers),
    queues: queues.map((queue) => readQueue(queue, consumers)),
    bindings: bindings.map(readBinding).filter(({ source }) => source !== ''),
    policies: policies.map(readPolicy),
    operatorPolicies: operatorPolicies.map(readPolicy),
  };
}

/** @returns the policies of users and of operators alone. @throws as `readLive`. */
export async function readPolicies(
  api: ManagementApi,
): Promise<Pick<LiveTopology, 'policies' | 'operatorPolicies'>> {
  const [policies, operatorPolicies] = await Promise.all([
    list(api, 'policies'),
    list(api, 'operator-policies'),
  ]);
  return { policies: policies.map(readPolicy), operatorPolicies: operatorPolicies.map(readPolicy) };
}

/** @returns the bindings alone, without those of the default exchange. @throws as `readLive`. */
export async function readBindings(api: ManagementApi): Promise<readonly LiveBinding[]> {
  const bindings = await list(api, 'bindings');
  return bindings.map(readBinding).filter(({ source }) => source !== '');
}

/** @returns the queues alone. @throws as `readLive`. */
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
    // The list of consumers is more current than the queue's own count, but both lag.
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

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** Older brokers write an empty table as an empty list. */
function table(value: unknown): Arguments {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Arguments)
    : {};
}
