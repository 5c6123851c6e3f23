/** Why a publish failed. */
import type { PublishEnd, ReturnReply } from '../amqp/index.ts';

/**
 * - `INVALID`: unknown name or option, a body that its schema refuses, or what cannot be encoded. Nothing was sent.
 * - `UNROUTABLE`: no queue is bound to the message.
 * - `QUEUE_FULL`: a queue refused it; another queue of the message may have it.
 * - `TIMEOUT`: no connection, no room or no confirm in time.
 * - `CONNECTION_LOST`: lost before the confirm.
 * - `CLOSED`: the publisher is closed, or the signal was aborted; `mayHaveArrived` tells whether it was sent before.
 */
export type PublishErrorCode =
  | 'INVALID'
  | 'UNROUTABLE'
  | 'QUEUE_FULL'
  | 'TIMEOUT'
  | 'CONNECTION_LOST'
  | 'CLOSED';

/** What a failed publish was about. */
export interface PublishErrorDetails {
  /** Id of the message. */
  readonly id: string;
  /** Name of the message, as it was given. */
  readonly type: string;
  /** Default false. */
  readonly mayHaveArrived?: boolean;
  /** Exchange that it was sent to; undefined where no message could be made. */
  readonly exchange?: string | undefined;
  /** Routing key that it was sent with; undefined where no message could be made. */
  readonly key?: string | undefined;
  /** What the broker said about a message that it returned. */
  readonly returned?: ReturnReply | undefined;
  /** What was thrown, for example by the schema. */
  readonly cause?: unknown;
}

/** @returns why a publish failed that a channel ended like this. */
export function codeOfOutcome(
  outcome: Exclude<PublishEnd['outcome'], 'confirmed'>,
): PublishErrorCode {
  switch (outcome) {
    case 'returned':
      return 'UNROUTABLE';
    case 'nacked':
      return 'QUEUE_FULL';
    case 'unsendable':
      return 'INVALID';
    case 'timeout':
    case 'unsent':
      return 'TIMEOUT';
    case 'error':
      return 'CONNECTION_LOST';
  }
}

/** A publish without a confirm. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
  /** Why, for programs. */
  readonly code: PublishErrorCode;
  /** Why, for people; `message` is this text behind the code. */
  readonly reason: string;
  /** True: it may be stored all the same. A resend with the same id lets consumers recognise the copy. */
  readonly mayHaveArrived: boolean;
  /** Id of the message. */
  readonly id: string;
  /** Name of the message, as it was given. */
  readonly type: string;
  /** Exchange that it was sent to; undefined where no message could be made. */
  readonly exchange: string | undefined;
  /** Routing key that it was sent with; undefined where no message could be made. */
  readonly key: string | undefined;
  /** Code and text with which the broker returned it, such as 312 `NO_ROUTE`; undefined if it returned nothing. */
  readonly returned: ReturnReply | undefined;

  constructor(code: PublishErrorCode, reason: string, details: PublishErrorDetails) {
    super(`${code}: ${reason}`, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.reason = reason;
    this.id = details.id;
    this.type = details.type;
    this.mayHaveArrived = details.mayHaveArrived ?? false;
    this.exchange = details.exchange;
    this.key = details.key;
    this.returned = details.returned;
  }

  /** For logs: plain values only, so that JSON.stringify never fails, whatever the cause is. The body is not among them. */
  toJSON(): Readonly<Record<string, unknown>> {
    const { name, code, message, reason, type, exchange, key, id, mayHaveArrived, returned } = this;
    return {
      name,
      code,
      message,
      reason,
      type,
      ...(exchange === undefined ? {} : { exchange }),
      ...(key === undefined ? {} : { key }),
      id,
      mayHaveArrived,
      ...(returned === undefined ? {} : { returned: { ...returned } }),
      ...(this.cause === undefined ? {} : { cause: textOf(this.cause) }),
    };
  }
}

function textOf(cause: unknown): string {
  try {
    return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  } catch {
    // String() throws for some values, such as an object without a prototype.
    return 'unprintable';
  }
}
