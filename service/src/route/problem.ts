/** Errors as RFC 9457 problem documents, with a stable code for scripts. */
import Type from 'typebox';

export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    /** What is wrong, with the value that is. */
    title: Type.String(),
    status: Type.Integer(),
    /** Stable; for scripts. */
    code: Type.String(),
    /** What the caller can do. */
    detail: Type.Optional(Type.String()),
    errors: Type.Optional(Type.Array(Type.Object({ field: Type.String(), reason: Type.String() }))),
  },
  { title: 'Problem' },
);

/** What a route states of a problem that it can answer. */
export interface ProblemKind {
  readonly status: number;
  /** Stable, lower snake case. */
  readonly code: string;
  /** When it is answered, as half a sentence without a full stop, such as `no job has this id`. For the documentation. */
  readonly when: string;
  /** What the caller can do, as a sentence. The `detail` of a document that has no other. */
  readonly remedy?: string;
}

export interface FieldFault {
  /** Such as `body.date`. */
  readonly field: string;
  readonly reason: string;
}

export interface ProblemOptions {
  readonly status: number;
  /** Stable, lower snake case. */
  readonly code: string;
  /** What is wrong, with the value that is. */
  readonly title: string;
  /** Default: the remedy. */
  readonly detail?: string;
  /** What the caller can do; comes with the kind of the problem. */
  readonly remedy?: string;
  /** Comes with the kind of the problem; not part of the document. */
  readonly when?: string;
  readonly errors?: readonly FieldFault[];
  /** Sent as the header Retry-After. */
  readonly retryAfterSeconds?: number;
  /** Further headers of the response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the document, such as the current state. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/**
 * An error that is thrown anywhere in a route; the outermost middleware answers with its document. The route must state its status and
 * code: `new Problem({ ...KIND, title })` for a kind of its `problems`.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly options: ProblemOptions;

  constructor(options: ProblemOptions) {
    super(options.title);
    this.options = options;
  }

  get document(): object {
    const { status, code, title, remedy, detail = remedy, errors, members } = this.options;
    return { type: 'about:blank', title, status, code, detail, errors, ...members };
  }
}

export const NOT_FOUND = {
  status: 404,
  code: 'not_found',
  when: 'no route or file has this path',
  remedy: 'GET /openapi.json lists every route.',
} as const satisfies ProblemKind;

export const INVALID_INPUT = {
  status: 400,
  code: 'invalid_input',
  when: 'a parameter or a field is missing, unknown, or not as its schema says',
  remedy: 'Each entry of errors names a field and what it must be.',
} as const satisfies ProblemKind;

/** @returns the answer to a path that no route or file has. */
export function notFound(): Problem {
  return new Problem({ ...NOT_FOUND, title: 'There is no such resource' });
}

/**
 * @param field what is wrong, such as `body.date`; its first part names where it came from.
 * @returns Problem 400 `invalid_input`, as the schema check of a route reports it. For faults that a schema cannot find.
 */
export function invalidInput(field: string, reason: string): Problem {
  return new Problem({
    ...INVALID_INPUT,
    title: `The ${field.split('.')[0]} is not as this route expects`,
    errors: [{ field, reason }],
  });
}
