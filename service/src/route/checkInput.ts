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
  const branches = branchesOf(schema);
  const faults = (place: string, value: unknown): FieldFault[] =>
    [...compiled.Errors(value)]
      .filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'additionalProperties')
      .slice(0, FAULTS_LIMIT)
      .map((error) => ({
        field: `${place}${error.instancePath.replaceAll('/', '.')}`.slice(0, FIELD_LIMIT_CHARS),
        reason: reasonOf(schema, error) + refusedValue(value, error),
      }));
  return {
    check: (value) => compiled.Check(value),
    faults:
      branches === undefined ? faults : (place, value) => faultsOfBranch(branches, place, value),
  };
}

interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly params: object;
  readonly message: string;
}

function reasonOf(schema: TSchema, { keyword, schemaPath, params, message }: SchemaError): string {
  // typebox reports an unknown property as a mismatch with the schema `false`.
  if (keyword === 'boolean') return unknownPropertyReason(schema, schemaPath);
  if (keyword !== 'enum') return message;
  const { allowedValues: values = [] } = params as { allowedValues?: readonly unknown[] };
  return values.length > LISTED_VALUES ? message : `must be one of ${values.join(', ')}`;
}

const LISTED_VALUES = 20;
const SHOWN_VALUE_CHARS = 60;
const SECRET_NAME = /password|secret|token|authorization|cookie|key/i;

/** @returns the value that is refused, where it is short and its name does not say that it is a secret. */
function refusedValue(
  value: unknown,
  { keyword, instancePath }: Pick<SchemaError, 'keyword' | 'instancePath'>,
): string {
  // Of an unknown property and of a missing one there is nothing to say.
  if (keyword === 'boolean' || keyword === 'required' || SECRET_NAME.test(instancePath)) return '';
  const names = instancePath.split('/').slice(1);
  const refused = names.reduce<unknown>(
    (node, name) => (Object(node) as Readonly<Record<string, unknown>>)[name],
    value,
  );
  if (refused === undefined || (typeof refused === 'object' && refused !== null)) return '';
  const shown = JSON.stringify(refused);
  return shown.length > SHOWN_VALUE_CHARS ? '' : `, not ${shown}`;
}

/** Schemas of a union, by the `type` that each of them requires; undefined for any other schema. */
function branchesOf(schema: TSchema): ReadonlyMap<unknown, SchemaCheck> | undefined {
  const { anyOf } = schema as { anyOf?: readonly TSchema[] };
  const types = anyOf?.map(
    (branch) => (branch as { properties?: { type?: { const?: unknown } } }).properties?.type?.const,
  );
  if (anyOf === undefined || types === undefined || types.includes(undefined)) return undefined;
  return new Map(anyOf.map((branch, index) => [types[index], compileCheck(branch)]));
}

/** Only the faults of the branch that is meant: those of all the others would hide them. */
function faultsOfBranch(
  branches: ReadonlyMap<unknown, SchemaCheck>,
  place: string,
  value: unknown,
): FieldFault[] {
  const { type } = Object(value) as { type?: unknown };
  const branch = branches.get(type);
  if (branch !== undefined) return branch.faults(place, value);
  const refused = refusedValue(value, { keyword: 'enum', instancePath: '/type' });
  const reason = `must be one of ${[...branches.keys()].join(', ')}${refused}`;
  return [{ field: `${place}.type`, reason }];
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
