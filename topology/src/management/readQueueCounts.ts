/** What each queue holds, by the management API: for those who watch depths rather than compare declarations. */
import type { ManagementApi } from './managementApi.ts';

/** One queue's numbers, up to 5 s old; undefined where the broker has not counted it yet. */
export interface QueueCounts {
  readonly name: string;
  readonly readyCount: number | undefined;
  /** With a consumer, not settled yet. */
  readonly unackedCount: number | undefined;
  /** Neither ready nor unacked: dead letters that a queue holds until their target takes them. */
  readonly awaitingTransferCount: number | undefined;
  readonly consumerCount: number | undefined;
  /** Given to consumers since the broker counts, each message once however often it came back. */
  readonly deliveredCount: number;
  /** In force, the lower of argument and policies; undefined is unlimited. */
  readonly maxLength: number | undefined;
  /** When the oldest message was published; classic queues alone tell, and only of stamped messages. */
  readonly headAt: Date | undefined;
}

/**
 * One request for the whole virtual host.
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
  /** Seconds since the epoch. Brokers that know none say so by null or by an empty text. */
  readonly head_message_timestamp?: number | null | '';
  readonly message_stats?: { readonly deliver_get?: number; readonly redeliver?: number };
  readonly arguments?: { readonly 'x-max-length'?: number };
  /** An empty list, where there is none. */
  readonly effective_policy_definition?: { readonly 'max-length'?: number };
}

function toCounts(json: QueueJson): QueueCounts {
  const { deliver_get: delivered = 0, redeliver: redelivered = 0 } = json.message_stats ?? {};
  const head = json.head_message_timestamp;
  return {
    name: json.name,
    readyCount: json.messages_ready,
    unackedCount: json.messages_unacknowledged,
    awaitingTransferCount: heldCount(json),
    consumerCount: json.consumers,
    deliveredCount: delivered - redelivered,
    maxLength: lowestLimit(json),
    headAt: typeof head === 'number' ? new Date(head * 1_000) : undefined,
  };
}

function heldCount(json: QueueJson): number | undefined {
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
