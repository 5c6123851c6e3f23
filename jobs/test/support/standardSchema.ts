/** A Standard Schema that is written by hand, so that tests depend on no library of schemas. */
import type { StandardSchemaV1 } from '@standard-schema/spec';

/** @param parse throws an Error with the reason where the input is wrong. */
export function schemaOf<Input, Output = Input>(
  parse: (input: Input) => Output,
): StandardSchemaV1<Input, Output> {
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (input) => {
        try {
          return { value: parse(input as Input) };
        } catch (error) {
          return { issues: [{ message: (error as Error).message }] };
        }
      },
    },
  };
}
