/** What `POST /jobs` takes: one form for each kind, made from its schemas. */
import { JOB_KINDS, type JobKind, PRIORITIES } from '@fit/contract';
import Type, { type TSchema } from 'typebox';

export interface JobRequest {
  /** Name of a kind. */
  readonly type: string;
  readonly payload: unknown;
  readonly priority?: string;
}

/** @returns what a client sends in place of the payload: the same, unless the monolith completes it. */
export function requestSchema(kind: JobKind): TSchema {
  return kind.result === undefined ? kind.request : kind.payload;
}

function prioritiesOf({ policy }: JobKind): readonly string[] {
  return typeof policy === 'function' ? PRIORITIES : (policy.priorities ?? PRIORITIES);
}

/** A union by `type`, so that a fault is one of the kind that was meant. */
export const JobRequestBody = Type.Unsafe<JobRequest>(
  Type.Union(
    JOB_KINDS.map((kind) =>
      Type.Object(
        {
          type: Type.Literal(kind.name),
          payload: requestSchema(kind),
          priority: Type.Optional(Type.Enum([...prioritiesOf(kind)])),
        },
        { additionalProperties: false, description: kind.summary },
      ),
    ),
    { title: 'JobRequest', examples: [{ type: 'reverse_string', payload: { text: 'hello' } }] },
  ),
);
