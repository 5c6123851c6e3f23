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

/** What a refused request was about. */
export interface JobRefusedDetails {
  readonly kind?: string;
  readonly key?: string;
  readonly field?: string;
  /** What was thrown, for example by the database. */
  readonly cause?: unknown;
}

/** Repeating the request is useless. */
export class JobRefused extends Error {
  override readonly name = 'JobRefused';
  readonly code: JobRefusal;
  /** Kind of the job, as it was given; undefined for a report. */
  readonly kind: string | undefined;
  /** Key of the job, as it was given or made; undefined for a report, and where the kind is unknown. */
  readonly key: string | undefined;
  /**
   * What is wrong: `kind`, `key`, `delay`, `priority`, `payload`, a field of the payload such as `payload.items.0`, or a field of
   * a report such as `attempt.startedAt`. Undefined where the job or the report is refused as a whole.
   */
  readonly field: string | undefined;

  constructor(code: JobRefusal, message: string, details: JobRefusedDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.kind = details.kind;
    this.key = details.key;
    this.field = details.field;
  }
}
