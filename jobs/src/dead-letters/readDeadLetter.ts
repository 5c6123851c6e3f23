/** Reads a dead letter without trusting it: what it claims to be, and why it died. The result is bounded, whatever its size. */
import { createHash } from 'node:crypto';
import {
  type Declaration,
  describeDeath,
  type Headers,
  type KindDeclaration,
  readDeaths,
} from '@fit/topology';
import type { Delivery } from '@fit/topology/amqp';
import { type JobMessage, MESSAGE_LIMIT_BYTES, readEnvelope } from '../record/jobMessage.ts';
import type { JobDeath } from '../record/jobRecord.ts';
import type { DeadLetter } from '../store/deadLetterStore.ts';

export interface ReceivedDeadLetter extends DeadLetter {
  readonly kind: KindDeclaration;
  /** The job that it may belong to; the record decides. */
  readonly jobId: string | undefined;
  /** What its body says; undefined where that is no message of a job, whatever its payload. */
  readonly claimedMessage: JobMessage | undefined;
  /** What its header says, as the relay writes it; undefined where it does not. */
  readonly headerGeneration: number | undefined;
  /** How often a worker rejected it, by the broker's own count. */
  readonly rejectionCount: number;
  readonly death: JobDeath;
}

/** Up to this size the whole body is stored: twice the limit of a job's message. */
export const DEAD_LETTER_BODY_LIMIT_BYTES = 2 * MESSAGE_LIMIT_BYTES;
/** Of a larger body the first bytes are stored, beside its size and its hash. */
export const DEAD_LETTER_HEAD_BYTES = 16 * 1_024;
const HEADERS_LIMIT_CHARS = 16_384;

export function readDeadLetter(
  delivery: Pick<Delivery, 'headers' | 'messageId' | 'routingKey' | 'body'>,
  kind: Declaration['kinds'][number],
  now: Date,
): ReceivedDeadLetter {
  const { headers, messageId, routingKey, body } = delivery;
  const { cause, message: reason, fingerprint } = describeDeath(kind, routingKey, headers);
  const generation = headers['generation'];
  return {
    kind,
    jobId: messageId,
    claimedMessage: body.byteLength > MESSAGE_LIMIT_BYTES ? undefined : readEnvelope(body),
    headerGeneration: typeof generation === 'number' ? generation : undefined,
    rejectionCount: rejectionCountOf(kind, headers),
    death: { cause, reason, fingerprint, at: now },
    cause,
    reason,
    messageId,
    routingKey,
    ...boundedBody(body),
    id: createHash('sha256')
      .update(`${messageId ?? ''}\n${cause}\n${reason}\n`)
      .update(body)
      .digest('hex'),
    headers: stringify(headers),
  };
}

/** The head is copied, because a slice would keep the whole body in memory. */
function boundedBody(body: Buffer): Pick<DeadLetter, 'body' | 'bodyBytes' | 'bodyHash'> {
  const bodyBytes = body.byteLength;
  if (bodyBytes <= DEAD_LETTER_BODY_LIMIT_BYTES) return { body, bodyBytes };
  return {
    body: Buffer.from(body.subarray(0, DEAD_LETTER_HEAD_BYTES)),
    bodyBytes,
    bodyHash: createHash('sha256').update(body).digest('hex'),
  };
}

function rejectionCountOf({ queue }: KindDeclaration, headers: Headers): number {
  const deaths = readDeaths(headers);
  return deaths.find((death) => death.queue === queue && death.reason === 'rejected')?.count ?? 0;
}

/** Headers are stored as text for people; the error is stored where a table is nested too deep to print. */
function stringify(headers: object): string {
  try {
    return JSON.stringify(headers).slice(0, HEADERS_LIMIT_CHARS);
  } catch (error) {
    return `unprintable: ${String(error)}`;
  }
}
