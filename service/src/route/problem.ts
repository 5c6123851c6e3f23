/** Errors as RFC 9457 problem documents, with a stable code for scripts. */
import Type from 'typebox';

export const ProblemSchema = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String(),
  detail: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Array(Type.Object({ field: Type.String(), reason: Type.String() }))),
});

export interface FieldFault {
  /** Such as `body.date`. */
  readonly field: string;
  readonly reason: string;
}

export interface ProblemOptions {
  readonly status: number;
  /** Stable, lower snake case. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly FieldFault[];
  /** Sent as the header Retry-After. */
  readonly retryAfterSeconds?: number;
  /** Further headers of the response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the document, such as the current state. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** An error that is thrown anywhere in a route; the outermost middleware answers with its document. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly options: ProblemOptions;

  constructor(options: ProblemOptions) {
    super(options.title);
    this.options = options;
  }

  get document(): object {
    const { status, code, title, detail, errors, members } = this.options;
    return { type: 'about:blank', title, status, code, detail, errors, ...members };
  }
}

/** @returns the answer to a path that no route or file has. */
export function notFound(): Problem {
  return new Problem({ status: 404, code: 'not_found', title: 'There is no such resource' });
}

/**
 * @param field what is wrong, such as `body.date`; its first part names where it came from.
 * @returns Problem 400 `invalid_input`, as the schema check of a route reports it. For faults that a schema cannot find.
 */
export function invalidInput(field: string, reason: string): Problem {
  return new Problem({
    status: 400,
    code: 'invalid_input',
    title: `The ${field.split('.')[0]} is not as this route expects`,
    errors: [{ field, reason }],
  });
}
