/** Message counts of every queue, by the management API. */
import type { ManagementApi } from './managementApi.ts';

/** Counts of one queue, up to 5 s old; undefined if the broker has not counted yet. */
export interface QueueCounts {
  /** Name of the queue. */
  readonly name: string;
  /** Messages that can be delivered. */
  readonly readyCount: number | undefined;
  /** Messages that were delivered and are not settled. */
  readonly unackedCount: number | undefined;
  /** Messages that are neither ready nor unacknowledged: dead-lettered, and awaiting transfer because the next queue is full. */
  readonly awaitingTransferCount: number | undefined;
  /** Consumers of the queue. */
  readonly consumerCount: number | undefined;
  /** Messages delivered since the broker's first count; a redelivered message counts once. */
  readonly deliveredCount: number;
  /** Length limit in force, the lower of argument and policies; undefined is unlimited. */
  readonly maxLength: number | undefined;
  /** When the oldest message was published; only classic queues report it, and only of messages with a timestamp. */
  readonly headAt: Date | undefined;
}

/**
 * Sends one request for the whole virtual host.
 * @throws TopologyError, Error as `ManagementApi.get`.
 */
export async function readQueueCounts(api: ManagementApi): Promise<readonly QueueCounts[]> {
  const queues = (await api.get(['queues', api.vhost])) as readonly QueueJson[];
  return queues.map(toCounts);
}

interface QueueJson {
  readonly name: string;
  readonly messages?: number;
  readonly messages_ready?: number;
  readonly messages_unacknowledged?: number;
  readonly consumers?: number;
  /** Seconds since 1970; null or an empty text if the broker knows none. */
  readonly head_message_timestamp?: number | null | '';
  readonly message_stats?: { readonly deliver_get?: number; readonly redeliver?: number };
  readonly arguments?: { readonly 'x-max-length'?: number };
  /** An empty list if there is no policy. */
  readonly effective_policy_definition?: { readonly 'max-length'?: number };
}

function toCounts(json: QueueJson): QueueCounts {
  const { deliver_get: delivered = 0, redeliver: redelivered = 0 } = json.message_stats ?? {};
  const head = json.head_message_timestamp;
  return {
    name: json.name,
    readyCount: json.messages_ready,
    unackedCount: json.messages_unacknowledged,
    awaitingTransferCount: awaitingTransferCount(json),
    consumerCount: json.consumers,
    deliveredCount: delivered - redelivered,
    maxLength: lowestLimit(json),
    headAt: typeof head === 'number' ? new Date(head * 1_000) : undefined,
  };
}

function awaitingTransferCount(json: QueueJson): number | undefined {
  const { messages, messages_ready: ready, messages_unacknowledged: unacked } = json;
  if (messages === undefined || ready === undefined || unacked === undefined) return undefined;
  return Math.max(0, messages - ready - unacked);
}

function lowestLimit(json: QueueJson): number | undefined {
  const limits = [
    json.arguments?.['x-max-length'],
    json.effective_policy_definition?.['max-length'],
  ].filter((limit) => limit !== undefined);
  return limits.length === 0 ? undefined : Math.min(...limits);
}
