/** Input against its schema; every fault is told at once, each with its field. */
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldFault, Problem } from './problem.ts';

export interface SchemaCheck {
  check(value: unknown): boolean;
  faults(place: string, value: unknown): FieldFault[];
}

const FAULTS_LIMIT = 20;

export function compileCheck(schema: TSchema): SchemaCheck {
  const compiled = Compile(schema);
  return {
    check: (value) => compiled.Check(value),
    faults: (place, value) =>
      [...compiled.Errors(value)]
        .filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'boolean')
        .slice(0, FAULTS_LIMIT)
        .flatMap(({ instancePath, message, params }) => {
          const path = instancePath.replaceAll('/', '.');
          const extra = (params as { additionalProperties?: string[] }).additionalProperties;
          return extra === undefined
            ? [{ field: `${place}${path}`, reason: message }]
            : extra.map((name) => ({ field: `${place}${path}.${name}`, reason: 'is not known' }));
        }),
  };
}

/** @throws Problem 400 `invalid_input` naming each field and reason. */
export function requireValid(check: SchemaCheck | undefined, place: string, value: unknown): void {
  if (check === undefined || check.check(value)) return;
  throw new Problem({
    status: 400,
    code: 'invalid_input',
    title: `The ${place} is not as this route expects`,
    errors: check.faults(place, value),
  });
}
