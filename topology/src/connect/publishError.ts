/** Why a publish failed. */

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

/** A publish without a confirm. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
  /** Why. */
  readonly code: PublishErrorCode;
  /** True: it may be stored all the same. A resend with the same id lets consumers recognise the copy. */
  readonly mayHaveArrived: boolean;
  /** Id of the message. */
  readonly id: string;

  constructor(
    code: PublishErrorCode,
    text: string,
    details: { readonly id: string; readonly mayHaveArrived?: boolean; readonly cause?: unknown },
  ) {
    super(`${code}: ${text}`, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.id = details.id;
    this.mayHaveArrived = details.mayHaveArrived ?? false;
  }
}
