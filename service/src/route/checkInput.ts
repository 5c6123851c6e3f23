/** Input against its schema; every fault is told at once, each with its field. */
import { type JsonBounds, jsonFault } from '@fit/jobs';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldFault, Problem } from './problem.ts';

export interface SchemaCheck {
  check(value: unknown): boolean;
  faults(place: string, value: unknown): FieldFault[];
}

const FAULTS_LIMIT = 20;
/** A path is made of whatever keys the caller sent. */
const FIELD_LIMIT_CHARS = 200;
/** No schema of a route nests deeper than this, and none needs to. */
const INPUT_DEPTH_LIMIT = 32;
/** Elements of any input; a schema that allows more has its own number. */
const INPUT_ELEMENTS_LEAST = 1_000;

/** @returns what an input may be before its schema looks at it; ample, so that most faults are named by their field. */
export function inputBounds(schemaElements: number): JsonBounds {
  return { depth: INPUT_DEPTH_LIMIT, elements: Math.max(INPUT_ELEMENTS_LEAST, schemaElements) };
}

export function compileCheck(schema: TSchema): SchemaCheck {
  const compiled = Compile(schema);
  return {
    check: (value) => compiled.Check(value),
    faults: (place, value) =>
      [...compiled.Errors(value)]
        .filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'additionalProperties')
        .slice(0, FAULTS_LIMIT)
        .map(({ keyword, instancePath, schemaPath, message }) => ({
          field: `${place}${instancePath.replaceAll('/', '.')}`.slice(0, FIELD_LIMIT_CHARS),
          // typebox tells of each unknown property that it met the schema `false`.
          reason: keyword === 'boolean' ? unknownReason(schema, schemaPath) : message,
        })),
  };
}

/** @param schemaPath of the `additionalProperties: false` that refused a property. */
function unknownReason(schema: TSchema, schemaPath: string): string {
  let node: unknown = schema;
  for (const key of schemaPath.split('/').slice(1, -1))
    node = (node as Readonly<Record<string, unknown>> | undefined)?.[key];
  const names = Object.keys((node as { properties?: object } | undefined)?.properties ?? {});
  return names.length === 0
    ? 'is not known; none is allowed here'
    : `is not known; allowed are ${names.join(', ')}`;
}

/**
 * Depth and number of elements first: only a value within them is given to the schema check.
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
    status: 400,
    code: 'invalid_input',
    title: `The ${place} is not as this route expects`,
    errors:
      boundsFault === undefined
        ? check.faults(place, value)
        : [{ field: place, reason: boundsFault }],
  });
}
