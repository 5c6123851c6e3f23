/** Makes a Standard Schema of a TypeBox schema, which is none by itself (sinclairzx81/typebox 1384). */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';

/**
 * For `messages` of `defineTopology`. The schema is compiled once, here.
 * @returns a Standard Schema that checks and neither converts nor adds defaults.
 */
export function fromTypeBox<const Schema extends TSchema>(
  schema: Schema,
): StandardSchemaV1<Static<Schema>, Static<Schema>> {
  const validator = Compile(schema);
  return {
    '~standard': {
      version: 1,
      vendor: 'typebox',
      validate: (value) =>
        validator.Check(value)
          ? { value: value }
          : {
              issues: validator.Errors(value).map(({ instancePath, message }) => ({
                message,
                path: instancePath.split('/').slice(1).map(unescaped),
              })),
            },
    },
  };
}

/** Undoes the escapes of a JSON pointer. */
function unescaped(word: string): string {
  return word.replaceAll('~1', '/').replaceAll('~0', '~');
}
