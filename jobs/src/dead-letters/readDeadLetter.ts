/** Reads a dead letter without trusting its content. The size of the result is bounded, whatever the dead letter holds. */
import { createHash } from 'node:crypto';
import {
  type DeathDescription,
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

/** A dead letter as it was read from the queue; nothing of it is compared with a job record yet. */
export interface ReceivedDeadLetter extends DeadLetter {
  readonly kind: KindDeclaration;
  /** Message id: the job that the dead letter may belong to. Its record decides. */
  readonly jobId: string | undefined;
  /** The message in the body, with an unchecked payload; undefined where the body is no message of a job. */
  readonly claimedMessage: JobMessage | undefined;
  /** How often workers rejected the message, as the broker counted. */
  readonly rejectionCount: number;
  readonly death: JobDeath;
}

/** Up to this size the whole body is stored: twice the limit of a job's message. */
export const DEAD_LETTER_BODY_LIMIT_BYTES = 2 * MESSAGE_LIMIT_BYTES;
/** Of a larger body this many bytes are stored, with its size and its hash. */
export const DEAD_LETTER_HEAD_BYTES = 16 * 1_024;
const HEADERS_LIMIT_CHARS = 16_384;

/** @param death with the last error of an exhausted one, where its note was read; default: what its own headers tell. */
export function readDeadLetter(
  delivery: Pick<Delivery, 'headers' | 'messageId' | 'routingKey' | 'body'>,
  kind: Declaration['kinds'][number],
  now: Date,
  death: DeathDescription = describeDeath(kind, delivery.routingKey, delivery.headers),
): ReceivedDeadLetter {
  const { headers, messageId, routingKey, body } = delivery;
  const { cause, message: reason, fingerprint } = death;
  // A note may be there for one arrival of a dead letter and not for another, which are the same dead letter.
  const { message: ownReason } = describeDeath(kind, routingKey, headers);
  return {
    kind,
    jobId: messageId,
    claimedMessage: body.byteLength > MESSAGE_LIMIT_BYTES ? undefined : readEnvelope(body),
    rejectionCount: rejectionCountOf(kind, headers),
    death: { cause, reason, fingerprint, at: now },
    cause,
    reason,
    messageId,
    routingKey,
    ...boundedBody(body),
    id: createHash('sha256')
      .update(`${messageId ?? ''}\n${cause}\n${ownReason}\n`)
      .update(body)
      .digest('hex'),
    headers: stringify(headers),
  };
}

/** @returns the body, or its first bytes and its hash. The bytes are copied, because a slice keeps the whole body in memory. */
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

/** @returns the headers as text for people; the error where they are nested too deep to print. */
function stringify(headers: object): string {
  try {
    return JSON.stringify(headers).slice(0, HEADERS_LIMIT_CHARS);
  } catch (error) {
    return `unprintable: ${String(error)}`;
  }
}
