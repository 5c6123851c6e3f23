/** A request that is wrong, so that repeating it is useless. */
export type JobRefusal =
  /** The kind is not declared. */
  | 'KIND_UNKNOWN'
  /** The payload is not as its schema says. */
  | 'PAYLOAD_INVALID'
  /** The payload is larger or more deeply nested than a message may be. */
  | 'PAYLOAD_TOO_LARGE'
  /** The key is empty, too long for an id, or has half of a surrogate pair. */
  | 'KEY_INVALID'
  | 'DELAY_INVALID'
  /** The kind declares no priorities, or not this one. */
  | 'PRIORITY_UNKNOWN'
  /** The database refuses to store the job. */
  | 'REFUSED_BY_DATABASE'
  /** A report of a worker is not as such reports are, or does not agree with the record of its job. */
  | 'REPORT_INVALID';

export class JobRefused extends Error {
  override readonly name = 'JobRefused';
  readonly code: JobRefusal;

  constructor(code: JobRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
