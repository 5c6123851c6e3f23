/** Checks the input of a route against its schema; all faults are reported together, each with its field. */
import { type JsonBounds, jsonFault } from '@fit/jobs';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldFault, INVALID_INPUT, Problem } from './problem.ts';

export interface SchemaCheck {
  check(value: unknown): boolean;
  faults(place: string, value: unknown): FieldFault[];
}

const FAULTS_LIMIT = 20;
/** A field path contains keys that the caller chose, so its length is bounded. */
const FIELD_LIMIT_CHARS = 200;
/** Deeper nesting is refused before the schema is checked; no schema of a route is deeper. */
const INPUT_DEPTH_LIMIT = 32;
/** The lowest limit of values in an input; a schema that allows more values has its own limit. */
const INPUT_ELEMENTS_MIN = 1_000;

/** @returns the bounds that are checked before the schema; they are generous, so that most faults are reported by their field. */
export function inputBounds(schemaElements: number): JsonBounds {
  return { depth: INPUT_DEPTH_LIMIT, elements: Math.max(INPUT_ELEMENTS_MIN, schemaElements) };
}

export function compileCheck(schema: TSchema): SchemaCheck {
  const compiled = Compile(schema);
  return {
    check: (value) => compiled.Check(value),
    faults: (place, value) =>
      [...compiled.Errors(value)]
        .filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'additionalProperties')
        .slice(0, FAULTS_LIMIT)
        .map((error) => ({
          field: `${place}${error.instancePath.replaceAll('/', '.')}`.slice(0, FIELD_LIMIT_CHARS),
          reason: reasonOf(error, schema, value),
        })),
  };
}

interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly params: object;
  readonly message: string;
}

/** Names a value only if it is a number, because a text may be a password. */
function reasonOf(error: SchemaError, schema: TSchema, value: unknown): string {
  const { keyword, instancePath, schemaPath, params, message } = error;
  // typebox reports an unknown property as a mismatch with the schema `false`.
  if (keyword === 'boolean') return unknownPropertyReason(schema, schemaPath);
  const { allowedValues } = params as { readonly allowedValues?: readonly unknown[] };
  if (allowedValues !== undefined) return `must be one of ${allowedValues.join(', ')}`;
  let found = value;
  for (const key of instancePath.split('/').slice(1))
    found = (found as Readonly<Record<string, unknown>> | null | undefined)?.[key];
  return typeof found === 'number' ? `${message}, not ${found}` : message;
}

/** @param schemaPath the path of the `additionalProperties: false` that refused the property. */
function unknownPropertyReason(schema: TSchema, schemaPath: string): string {
  let node: unknown = schema;
  for (const key of schemaPath.split('/').slice(1, -1))
    node = (node as Readonly<Record<string, unknown>> | undefined)?.[key];
  const names = Object.keys((node as { properties?: object } | undefined)?.properties ?? {});
  return names.length === 0
    ? 'is not known; none is allowed here'
    : `is not known; allowed are ${names.join(', ')}`;
}

/**
 * Checks depth and number of values first: only a value within these bounds is given to the schema check, whose time grows with both.
 * @throws Problem 400 `invalid_input` naming each field and reason.
 */
export function requireValid(
  check: SchemaCheck | undefined,
  place: string,
  value: unknown,
  bounds: JsonBounds,
): void {
  if (check === undefined) return;
  const boundsFault = jsonFault(value, bounds);
  if (boundsFault === undefined && check.check(value)) return;
  throw new Problem({
    ...INVALID_INPUT,
    title: `The ${place} is not as this route expects`,
    errors:
      boundsFault === undefined
        ? check.faults(place, value)
        : [{ field: place, reason: boundsFault }],
  });
}
